/** Every operation of the Gateway by its route: the answer is what the Gateway returns, in the Schema's encoding. */
import * as HttpApi from "@effect/platform/HttpApi"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Schema, Stream } from "effect"
import { Gateway, Message, Permissions, Run, Session, Tool } from "skein"
import { SkeinHttp } from "skein/http"
import { ScriptedModel } from "skein/scripted-model"
import { served } from "./server.js"

const endpoints: Array<string> = []
HttpApi.reflect(SkeinHttp.api, { onGroup: () => {}, onEndpoint: ({ endpoint }) => void endpoints.push(endpoint.name) })

const ask = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("ran"))
const asking = { tools: [ask], policy: Permissions.askToWrite }
const body = (value: unknown) => ({ body: JSON.stringify(value) })
const id = Schema.decodeUnknownSync(Schema.Struct({ id: Session.Id }))

/** The sizes of the pieces in which an answer was written. */
const piecesOf = (answer: string): ReadonlyArray<number> => {
  const sizes: Array<number> = []
  let at = answer.indexOf("\r\n\r\n") + 4
  for (;;) {
    const size = Number.parseInt(answer.slice(at, at + 10), 16)
    if (!(size > 0)) return sizes
    sizes.push(size)
    at = answer.indexOf("\r\n", at) + size + 4
  }
}

describe("routes", () => {
  it("exist for every operation of the Gateway", () => {
    expect([...endpoints, "subscribe"].sort()).toEqual(Object.keys(Gateway.operations).sort())
  })

  it.scoped("agents: listed with their models", () =>
    Effect.gen(function* () {
      const { gateway, request } = yield* served()
      const all = yield* request("GET", "/v1/agents")
      expect(all.json()).toEqual([
        {
          name: "agent",
          about: null,
          standard: true,
          models: [{ provider: "script", model: "queue", standard: true, prices: null }]
        }
      ])
      expect(all.json()).toEqual(yield* gateway.agents())
    })
  )

  it.scoped("limits: those of the engine", () =>
    Effect.gen(function* () {
      const { gateway, request } = yield* served({ config: { limits: { assetBytes: 5000 } } })
      const all = yield* request("GET", "/v1/limits")
      expect(all.json()).toMatchObject({ assetBytes: 5000, titleCharacters: 200, assetTypes: null })
      expect(all.json()).toEqual(yield* gateway.limits())
    })
  )

  it.scoped("sessions: created, listed, read, changed one by one or together, deleted", () =>
    Effect.gen(function* () {
      const { gateway, request } = yield* served()
      const created = yield* request("POST", "/v1/sessions", body({ title: "One", metadata: { a: [1, null] } }))
      expect(created.status).toBe(201)
      const session = id(created.json())
      expect(created.json()).toEqual(yield* gateway.session(session.id))
      const other = yield* gateway.create({ title: "Two" })
      const page = yield* request("GET", "/v1/sessions?title=one&limit=1&total=true&activity=idle")
      expect(page.json()).toMatchObject({ sessions: [{ id: session.id, activity: "idle" }], damaged: [], total: 1 })
      const [first] = (yield* gateway.sessions({ limit: 1 })).sessions
      const { next } = yield* gateway.sessions({ limit: 1 })
      const rest = yield* request("GET", `/v1/sessions?after=${next}&activity=idle&activity=queued`)
      expect(rest.json()).toMatchObject({ sessions: [{ id: session.id }], next: null })
      expect(first?.id).toBe(other.id)
      const patched = yield* request("PATCH", `/v1/sessions/${session.id}`, body({ title: "New" }))
      expect([patched.status, patched.json()]).toEqual([200, yield* gateway.session(session.id)])
      const many = yield* request("PATCH", "/v1/sessions", body({ sessionIds: [other.id, "gone"], title: "Both" }))
      expect(many.json()).toMatchObject([
        { _tag: "Changed", session: { title: "Both" } },
        { _tag: "Failed", sessionId: "gone", error: { _tag: "SessionNotFound", message: "There is no session gone" } }
      ])
      expect((yield* request("GET", `/v1/sessions/${other.id}/snapshot`)).json()).toMatchObject({
        session: { title: "Both" },
        run: null,
        live: null
      })
      const deleted = yield* request("DELETE", `/v1/sessions/${session.id}`)
      expect([deleted.status, deleted.text]).toEqual([204, ""])
      const gone = yield* request("GET", `/v1/sessions/${session.id}`)
      expect([gone.status, gone.json()]).toEqual([
        404,
        { _tag: "SessionNotFound", sessionId: session.id, message: `There is no session ${session.id}` }
      ])
      expect((yield* request("POST", "/v1/recover", body({}))).json()).toEqual([])
    })
  )

  it.scoped("runs: sent once per key, awaited, listed, resumed, cancelled", () =>
    Effect.gen(function* () {
      const { gateway, model, request, session } = yield* served(asking)
      const { id } = yield* session()
      yield* model.play(ScriptedModel.text("hello"))
      const keyed = { ...body({ text: "hi" }), headers: { "idempotency-key": "k1" } }
      const sent = yield* request("POST", `/v1/sessions/${id}/messages`, keyed)
      expect(sent.status).toBe(202)
      const ref = Schema.decodeUnknownSync(Run.Ref)(sent.json())
      const again = yield* request("POST", `/v1/sessions/${id}/messages`, keyed)
      expect([again.status, again.json()]).toEqual([202, ref])
      const ended = yield* request("GET", `/v1/runs/${ref.runId}/end`)
      expect(ended.json()).toMatchObject({ id: ref.runId, state: "ended", stopReason: "completed" })
      expect((yield* request("GET", `/v1/runs/${ref.runId}`)).json()).toEqual(yield* gateway.run(ref.runId))
      expect((yield* request("GET", `/v1/runs/${ref.runId}/ref`)).json()).toEqual(ref)
      expect((yield* request("GET", `/v1/sessions/${id}/runs?idempotencyKey=k1`)).json()).toMatchObject([
        { id: ref.runId }
      ])
      const other = yield* request("POST", `/v1/sessions/${id}/messages`, { ...keyed, ...body({ text: "other" }) })
      expect([other.status, other.json()]).toMatchObject([409, { _tag: "IdempotencyConflict", runId: ref.runId }])
      const resumed = yield* request("POST", `/v1/sessions/${id}/resume`, body({ runId: ref.runId }))
      expect([resumed.status, resumed.json()]).toEqual([202, ref])
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})))
      const next = Schema.decodeUnknownSync(Run.Ref)(
        (yield* request("POST", `/v1/sessions/${id}/messages`, body({ text: "go" }))).json()
      )
      const busy = yield* request("POST", `/v1/sessions/${id}/messages`, body({ text: "too" }))
      expect([busy.status, busy.json()]).toMatchObject([409, { _tag: "SessionBusy", runId: next.runId }])
      const cancelled = yield* request("POST", `/v1/runs/${next.runId}/cancel`, body({}))
      expect([cancelled.status, cancelled.text]).toEqual([204, ""])
      expect(yield* gateway.run(next.runId)).toMatchObject({ stopReason: "cancelled" })
    })
  )

  it.scoped("transcripts: appended once per key, read whole and in part, with their timeline", () =>
    Effect.gen(function* () {
      const { gateway, request, session, transcript } = yield* served()
      const { id } = yield* session()
      const messages = [Message.userText("one"), Message.userText("two \u{1F600} \u2028")]
      const keyed = { ...body({ messages }), headers: { "idempotency-key": "k" } }
      const appended = yield* request("POST", `/v1/sessions/${id}/transcript`, keyed)
      expect(appended.status).toBe(201)
      expect((yield* request("POST", `/v1/sessions/${id}/transcript`, keyed)).json()).toEqual(appended.json())
      const entries = yield* transcript(id)
      expect(entries).toHaveLength(2)
      expect((yield* request("GET", `/v1/sessions/${id}/transcript`)).json()).toEqual(entries)
      expect((yield* request("GET", `/v1/sessions/${id}/transcript?from=2&to=2`)).json()).toEqual(entries.slice(1))
      expect((yield* request("GET", `/v1/sessions/${id}/transcript?from=3`)).text).toBe("[]")
      expect((yield* request("GET", `/v1/sessions/${id}/entries/2`)).json()).toEqual(entries[1])
      expect((yield* request("GET", `/v1/sessions/${id}/entries/9`)).status).toBe(404)
      const timeline = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.timeline({ sessionId: id })))
      expect((yield* request("GET", `/v1/sessions/${id}/timeline`)).json()).toEqual(timeline)
    })
  )

  it.scoped("transcripts: many messages, or a large one, are stored and returned unchanged", () =>
    Effect.gen(function* () {
      const { request, session, transcript } = yield* served()
      const many = Array.from({ length: 5_000 }, (_, n) => Message.userText(`${n}, ${"\u{1F600}".repeat(20)}`))
      for (const messages of [many, [Message.userText("\u{1F600}".repeat(200_000)), Message.userText("two")]]) {
        const { id } = yield* session()
        const path = `/v1/sessions/${id}/transcript`
        const wrong = yield* request("POST", path, body({ messages: [...messages, { role: "user", parts: 1 }] }))
        expect(wrong.json()).toMatchObject({ _tag: "InvalidInput", field: `messages.${messages.length}.parts` })
        const cut = yield* request("POST", path, { body: JSON.stringify({ messages }).slice(0, -2) })
        expect([cut.status, cut.json()]).toMatchObject([400, { _tag: "Malformed", field: "body" }])
        const appended = yield* request("POST", path, body({ messages }))
        expect(appended.status).toBe(201)
        const entries = yield* transcript(id)
        expect(entries.map(({ message }) => message)).toEqual(messages)
        expect(appended.json()).toEqual(entries)
      }
    })
  )

  it.scoped("transcripts: many messages are returned in pieces, when they are appended and when they are read", () =>
    Effect.gen(function* () {
      const { raw, session } = yield* served()
      const { id } = yield* session()
      const path = `/v1/sessions/${id}/transcript`
      const fields = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
      const messages = Array.from({ length: 10_000 }, (_, n) => Message.userText(`${n}, ${"x".repeat(80)}`))
      const text = JSON.stringify({ messages })
      const appended = yield* raw(`POST ${path} ${fields}Content-Length: ${text.length}\r\n\r\n${text}`)
      const read = yield* raw(`GET ${path} ${fields}\r\n`)
      for (const answer of [appended, read]) {
        const sizes = piecesOf(answer)
        expect(answer.length).toBeGreaterThan(text.length)
        expect(Math.max(...sizes)).toBeLessThan(answer.length / 2)
      }
    })
  )

  it.scoped("questions: listed, read, answered by the first answer only", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, request, seen } = yield* served(asking)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})), ScriptedModel.text("done"))
      const ref = yield* begin("go")
      const { questionId } = yield* seen(ref, "permission.asked")
      const question = yield* gateway.question(questionId)
      expect((yield* request("GET", `/v1/questions?sessionId=${ref.sessionId}`)).json()).toEqual([question])
      expect((yield* request("GET", "/v1/questions")).json()).toEqual([question])
      expect((yield* request("GET", `/v1/questions/${questionId}`)).json()).toEqual(question)
      const answers = yield* Effect.all(
        [body({ verdict: "allow-once" }), body({ verdict: "deny", message: "no" })].map((wish) =>
          request("POST", `/v1/questions/${questionId}/answer`, wish)
        ),
        { concurrency: 2 }
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]))
      const { verdict } = Schema.decodeUnknownSync(Schema.Struct({ verdict: Schema.String }))(
        answers.find(({ status }) => status === 409)?.json()
      )
      expect((yield* gateway.question(questionId)).answer).toMatchObject({ verdict })
      yield* gateway.await(ref)
    })
  )

  it.scoped("sessions: exported and imported as lines", () =>
    Effect.gen(function* () {
      const { request, session } = yield* served()
      const { id } = yield* session()
      const exported = yield* request("GET", `/v1/export?sessionIds=${id}`)
      expect([exported.status, exported.headers["content-type"]]).toEqual([200, "application/x-ndjson"])
      const wish = { body: exported.text, headers: { "content-type": "application/x-ndjson" } }
      const taken = yield* request("POST", "/v1/import", wish)
      expect([taken.status, taken.json()]).toMatchObject([409, { _tag: "SessionExists", sessionId: id }])
      const imported = yield* request("POST", "/v1/import?newIds=true", wish)
      expect([imported.status, imported.json()]).toMatchObject([201, [{ from: id }]])
      const broken = yield* request("POST", "/v1/import", { ...wish, body: "{" })
      expect([broken.status, broken.json()]).toMatchObject([422, { _tag: "ImportRefused", line: 1 }])
    })
  )
})
