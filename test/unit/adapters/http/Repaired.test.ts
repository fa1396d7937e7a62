/** A session that the doctor has repaired keeps no event: whoever reads its events is told so, and waits for none. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Gateway } from "skein"
import { SkeinClient } from "skein/client"
import { join } from "node:path"
import { folder } from "../../services/storage/disk.js"
import { engineOn, one, populate, repair, tamper } from "../sqlite/populated.js"
import { listen } from "./listening.js"
import { serve } from "./server.js"

const repaired = Effect.gen(function* () {
  const data = join(yield* folder, "data")
  yield* populate(data)
  tamper(data, "UPDATE messages SET body = 'damaged' WHERE session = 1 AND seq = 1")
  yield* repair(data)
  return data
})

describe("events of a repaired session", () => {
  it.scopedLive("P10 are none, and clients know that they have them all", () =>
    Effect.flatMap(repaired, (data) =>
      Effect.gen(function* () {
        const { port, request } = yield* serve(yield* Gateway.Gateway)
        const { cursor: newest } = yield* (yield* Gateway.Gateway).session(one)
        const events = yield* listen(port, `/v1/sessions/${one}/events`)
        expect(yield* events.next).toMatchObject({ event: "synced", data: JSON.stringify({ cursor: newest }) })
        const replay = yield* listen(port, `/v1/sessions/${one}/events?live=0`)
        expect(yield* replay.until(() => false)).toMatchObject([{ event: "synced" }])
        const kept = yield* request("GET", `/ds/sessions/${one}`)
        expect([kept.json(), Number(kept.headers["stream-next-offset"])]).toEqual([[], newest])
        const streamed = yield* listen(port, `/ds/sessions/${one}?live=sse`)
        expect(JSON.parse((yield* streamed.next)?.data ?? "null")).toMatchObject({ upToDate: true })
        const client = yield* SkeinClient.make({ url: `http://127.0.0.1:${port}` })
        expect([...(yield* Stream.runCollect(client.events({ sessionId: one, live: false })))]).toEqual([])
        yield* (yield* Gateway.Gateway).patch({ sessionId: one, title: "new" })
        expect([...(yield* Stream.runCollect(client.events({ sessionId: one, live: false })))]).toMatchObject([
          { type: "session.renamed", title: "new" }
        ])
      }).pipe(Effect.provide([engineOn(data), FetchHttpClient.layer]))
    )
  )
})
