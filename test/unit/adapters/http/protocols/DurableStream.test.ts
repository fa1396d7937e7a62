/** The read half of Durable Streams with its own client: caught up, live in both ways, and from a saved offset. */
import { stream } from "@durable-streams/client"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { ScriptedModel } from "skein/scripted-model"
import { served } from "../server.js"

interface Item {
  readonly cursor: number
  readonly type: string
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

describe("Durable Streams", () => {
  it.scopedLive("P10 give their client every event once in every mode, and continue from a saved offset", () =>
    Effect.gen(function* () {
      const { gateway, model, port, send, session } = yield* served()
      const { id } = yield* session({ title: "a" })
      const url = `http://127.0.0.1:${port}/ds/sessions/${id}`
      const caughtUp = yield* Effect.promise(() => stream<Item>({ url, offset: "-1", live: false }))
      expect((yield* Effect.promise(() => caughtUp.json())).map(({ cursor }) => cursor)).toEqual([1])
      for (const live of ["sse", "long-poll"] as const) {
        const before = (yield* gateway.session(id)).cursor
        const all = yield* Deferred.make<string>()
        const read: Array<number> = []
        const abort = new AbortController()
        const { subscribeJson } = yield* Effect.promise(async () => {
          const response = await stream<Item>({ url, offset: "-1", live, signal: abort.signal })
          return { subscribeJson: response.subscribeJson.bind(response) }
        })
        subscribeJson<Item>(({ items, offset }) => {
          read.push(...items.map(({ cursor }) => cursor))
          if (items.some(({ type }) => type === "run.ended") && read.length > before) {
            Deferred.unsafeDone(all, Effect.succeed(offset))
          }
        })
        yield* model.play(ScriptedModel.text("one"))
        yield* gateway.await(yield* send(id, live))
        const saved = yield* Deferred.await(all)
        abort.abort()
        yield* gateway.patch({ sessionId: id, title: live })
        const { cursor } = yield* gateway.session(id)
        expect(read).toEqual(upTo(cursor - 1))
        const rest = yield* Effect.promise(() => stream<Item>({ url, offset: saved, live: false }))
        expect((yield* Effect.promise(() => rest.json())).map(({ cursor }) => cursor)).toEqual([cursor])
      }
    })
  )

  it.scoped("return the next offset, and refuse offsets and parameters that they never gave", () =>
    Effect.gen(function* () {
      const { gateway, request, session } = yield* served()
      const { id } = yield* session()
      const path = `/ds/sessions/${id}`
      const head = yield* request("HEAD", path)
      expect([head.status, head.headers["stream-next-offset"]]).toEqual([200, "0000000000000001"])
      const now = yield* request("GET", `${path}?offset=now`)
      expect([now.json(), now.headers["stream-up-to-date"]]).toEqual([[], "true"])
      for (const [query, status, tag] of [
        ["?offset=1e3", 400, "Malformed"],
        ["?offset=-2", 400, "Malformed"],
        ["?live=never", 400, "Malformed"],
        ["?other=1", 400, "Malformed"],
        ["?offset=99", 410, "CursorGone"]
      ] as const) {
        const answer = yield* request("GET", path + query)
        expect([query, answer.status, answer.json()]).toMatchObject([query, status, { _tag: tag }])
      }
      expect((yield* request("GET", "/ds/sessions/nobody")).status).toBe(404)
      expect((yield* request("POST", path, { body: "{}" })).headers["allow"]).toBe("GET, HEAD")
      yield* gateway.delete(id)
      expect((yield* request("GET", path)).status).toBe(404)
    })
  )
})
