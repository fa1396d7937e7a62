import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { inspect } from "node:util"
import { Asset, Gateway, Message, type ModelRef, Session, type SkeinError } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { open } from "../runtime/fixture.js"

const config = { limits: { titleCharacters: 10, messageBytes: 500, metadataBytes: 100, assetBytes: 5 } }

/** A session in which something has happened, and everything that can be read from it. */
const settled = Effect.gen(function* () {
  const engine = yield* open({ config })
  yield* engine.model.play(ScriptedModel.text("hi"))
  const { id } = yield* engine.session({ id: Session.Id.make("s1"), title: "Title", metadata: { a: 1 } })
  yield* engine.gateway.await(yield* engine.send(id, "hello"))
  const everything = Effect.all([
    engine.gateway.sessions(),
    engine.gateway.snapshot(id),
    engine.transcript(id),
    engine.told(id),
    engine.gateway.assets(id)
  ])
  return { ...engine, id, everything }
})

type Refused = Effect.Effect<unknown, { readonly _tag: string }>
type Case = readonly [what: string, call: (gateway: Gateway.Service, id: Session.Id) => Refused, field: string]

/** As a caller without types would pass it. */
const given = <A>(json: string): A => {
  const value: A = JSON.parse(json)
  return value
}
const created = (json: string) => given<Gateway.Create>(json)
const sent = (id: Session.Id, json: string): Gateway.Send => ({
  sessionId: id,
  text: "hi",
  ...given<Partial<Gateway.Send>>(json)
})
const answered = (json: string) => given<Gateway.Answer>(json)
const model = (json: string) => given<ModelRef.ModelRef>(json)
const messages = (json: string) => given<ReadonlyArray<Message.Message>>(json)

const withField = (sessionId: Session.Id, field: string, value: unknown) => ({
  sessionId,
  ...given<object>("{}"),
  ...Object.fromEntries([[field, value]])
})

const long = "x".repeat(600)

const cases: ReadonlyArray<Case> = [
  ["patch with a relative folder", (gateway, id) => gateway.patch({ sessionId: id, workdir: "a/b" }), "workdir"],
  ["create with an empty folder", (gateway) => gateway.create(created('{"workdir":""}')), "workdir"],
  ["create with a relative folder", (gateway) => gateway.create(created('{"workdir":"a/b"}')), "workdir"],
  ["create with a number as folder", (gateway) => gateway.create(created('{"workdir":5}')), "workdir"],
  ["create under an unknown session", (gateway) => gateway.create(created('{"parent":"nobody"}')), "parent"],
  ["create with an invalid agent's name", (gateway) => gateway.create(created('{"agent":"a b"}')), "agent"],
  ["patch with an invalid agent's name", (gateway, id) => gateway.patch({ sessionId: id, agent: "" }), "agent"],
  ["create with an invalid placement", (gateway) => gateway.create(created('{"placement":"a b"}')), "placement"],
  ["create with an impossible id", (gateway) => gateway.create(created('{"workdir":"/","id":"../x"}')), "id"],
  ["create with an empty owner", (gateway) => gateway.create(created('{"workdir":"/","owner":""}')), "owner"],
  ["create with a long owner", (gateway) => gateway.create(created(`{"workdir":"/","owner":"${long}"}`)), "owner"],
  ["create with a blank title", (gateway) => gateway.create({ workdir: "/", title: " \n" }), "title"],
  ["create with a long title", (gateway) => gateway.create({ workdir: "/", title: "12345678901" }), "title"],
  [
    "create with a model without a name",
    (gateway) => gateway.create(created('{"workdir":"/","model":{"provider":"p","model":""}}')),
    "model.model"
  ],
  ["create with large metadata", (gateway) => gateway.create({ workdir: "/", metadata: { a: long } }), "metadata"],
  [
    "create with metadata that is not JSON",
    (gateway) => gateway.create({ workdir: "/", metadata: { a: Number.NaN } }),
    "metadata.a"
  ],
  ["sessions with a limit of 0", (gateway) => gateway.sessions({ limit: 0 }), "limit"],
  ["sessions with a title that no session has", (gateway) => gateway.sessions({ title: "a\0" }), "title"],
  ["sessions of a folder that no session has", (gateway) => gateway.sessions({ workdir: "/\ud800" }), "workdir"],
  ["sessions after a place that is none", (gateway) => gateway.sessions({ after: "9".repeat(19) }), "after"],
  ["sessions with a limit that is too high", (gateway) => gateway.sessions({ limit: 501 }), "limit"],
  ["sessions with a limit that is not a number", (gateway) => gateway.sessions({ limit: Number.NaN }), "limit"],
  ["sessions with a fraction as limit", (gateway) => gateway.sessions({ limit: 2.5 }), "limit"],
  ["sessions after a number", (gateway) => gateway.sessions(given('{"after":0}')), "after"],
  ["sessions after an invalid page's end", (gateway) => gateway.sessions({ after: "1 OR 1" }), "after"],
  ["sessions after more numbers than a page's end has", (gateway) => gateway.sessions({ after: "1.2.3.4.5" }), "after"],
  [
    "sessions with an unknown activity",
    (gateway) => gateway.sessions(given('{"activity":["sleeping"]}')),
    "activity.0"
  ],
  ["sessions in an unknown order", (gateway) => gateway.sessions(given('{"order":"title"}')), "order"],
  ["sessions with a number as title", (gateway) => gateway.sessions(given('{"title":5}')), "title"],
  ["sessions with an empty owner", (gateway) => gateway.sessions(given('{"owner":""}')), "owner"],
  ...[2.5, 0, -1, Number.NaN, Infinity, "1"].flatMap((place): ReadonlyArray<Case> =>
    ["from", "to"].map((field) => [
      `transcript ${field} ${inspect(place)}`,
      (gateway, sessionId) => Stream.runDrain(gateway.transcript(withField(sessionId, field, place))),
      field
    ])
  ),
  ...[2.5, -1, Number.NaN, Infinity, "0", null].map((after): Case => [
    `events after ${inspect(after)}`,
    (gateway, sessionId) => Stream.runDrain(gateway.events(withField(sessionId, "after", after))),
    "after"
  ]),
  ...[2.5, -1, Number.NaN, "0"].flatMap((bytes): ReadonlyArray<Case> =>
    ["offset", "length"].map((field) => [
      `openAsset with ${field} ${inspect(bytes)}`,
      (gateway, sessionId) =>
        Stream.runDrain(gateway.openAsset({ ...withField(sessionId, field, bytes), assetId: Asset.AssetId.make("a") })),
      field
    ])
  ),
  ["session with an impossible id", (gateway) => gateway.session(given('"../x"')), "sessionId"],
  ["snapshot of null", (gateway) => gateway.snapshot(given("null")), "sessionId"],
  ["run with an impossible id", (gateway) => gateway.run(given('""')), "runId"],
  ["await of a ref without a run", (gateway) => gateway.await(given('{"sessionId":"s1","cursor":0}')), "runId"],
  [
    "patchMany with a number among the ids",
    (gateway) => gateway.patchMany({ sessionIds: given('["s1",5]'), model: null }),
    "sessionIds.1"
  ],
  ["send with a blank text", (gateway, id) => gateway.send(sent(id, '{"text":" \\n"}')), "text"],
  ["send with a number as text", (gateway, id) => gateway.send(sent(id, '{"text":5}')), "text"],
  ["send with a long text", (gateway, id) => gateway.send(sent(id, `{"text":"${long}"}`)), "message"],
  [
    "send with a file without a type",
    (gateway, id) => gateway.send(sent(id, '{"files":[{"assetId":"a"}]}')),
    "files.0.mediaType"
  ],
  [
    "send with an impossible asset",
    (gateway, id) => gateway.send(sent(id, '{"files":[{"assetId":"../a","mediaType":"a/b"}]}')),
    "files.0.assetId"
  ],
  ["send with large metadata", (gateway, id) => gateway.send(sent(id, `{"metadata":{"a":"${long}"}}`)), "metadata"],
  [
    "send with a form that is not of an object",
    (gateway, id) => gateway.send(sent(id, '{"output":{"type":"string"}}')),
    "output"
  ],
  ["send with a text as form", (gateway, id) => gateway.send(sent(id, '{"output":"text"}')), "output"],
  ["send with a large form", (gateway, id) => gateway.send(sent(id, `{"output":{"title":"${long}"}}`)), "output"],
  ["send with an empty key", (gateway, id) => gateway.send(sent(id, '{"idempotencyKey":""}')), "idempotencyKey"],
  ["send with a long key", (gateway, id) => gateway.send(sent(id, `{"idempotencyKey":"${long}"}`)), "idempotencyKey"],
  [
    "send with a key that contains NUL",
    (gateway, id) => gateway.send(sent(id, '{"idempotencyKey":"a\\u0000"}')),
    "idempotencyKey"
  ],
  ["send with an unknown whenBusy", (gateway, id) => gateway.send(sent(id, '{"whenBusy":"wait"}')), "whenBusy"],
  ["patch with an empty title", (gateway, id) => gateway.patch({ sessionId: id, title: "  " }), "title"],
  ["patch with a long title", (gateway, id) => gateway.patch({ sessionId: id, title: "12345678901" }), "title"],
  [
    "patch with a model without a provider",
    (gateway, id) => gateway.patch({ sessionId: id, model: model('{"model":"m"}') }),
    "model.provider"
  ],
  [
    "patch with an impossible model option",
    (gateway, id) =>
      gateway.patch({ sessionId: id, model: model('{"provider":"p","model":"m","options":{"temperature":9}}') }),
    "model.options.temperature"
  ],
  [
    "patch with metadata beyond the limit",
    (gateway, id) => gateway.patch({ sessionId: id, metadata: { b: "x".repeat(90) } }),
    "metadata"
  ],
  [
    "patch with metadata that is not JSON",
    (gateway, id) => gateway.patch({ sessionId: id, metadata: { b: { c: Infinity } } }),
    "metadata.b"
  ],
  [
    "append of a long message",
    (gateway, id) => gateway.append(id, [{ role: "user", parts: [{ type: "text", text: long }] }]),
    "messages.0"
  ],
  [
    "append of an unknown role",
    (gateway, id) => gateway.append(id, messages('[{"role":"system","parts":[]}]')),
    "messages.0.role"
  ],
  [
    "append of a call with an empty id",
    (gateway, id) =>
      gateway.append(
        id,
        messages(
          `[{"role":"assistant","parts":[{"type":"text","text":"hm"},{"type":"call","callId":"","name":"n","input":""}],
            "model":{"provider":"p","model":"m"},"finish":"stop",
            "usage":{"inputTokens":null,"outputTokens":null,"reasoningTokens":null,"cachedInputTokens":null}}]`
        )
      ),
    "messages.0.parts.1.callId"
  ],
  [
    "append of a result with an empty id",
    (gateway, id) =>
      gateway.append(id, messages('[{"role":"tool","callId":"","name":"n","outcome":"success","text":""}]')),
    "messages.0.callId"
  ],
  [
    "append of a long foreign id",
    (gateway, id) =>
      gateway.append(id, [
        Message.userText("hm"),
        { role: "tool", callId: `.${long.slice(0, 300)}`, name: "n", outcome: "success", text: long.slice(0, 150) }
      ]),
    "messages.1"
  ],
  [
    "answer with an unknown verdict",
    (gateway) => gateway.answer(answered('{"questionId":"q","verdict":"yes"}')),
    "verdict"
  ],
  [
    "answer to an impossible question",
    (gateway) => gateway.answer(answered('{"questionId":"","verdict":"allow-once"}')),
    "questionId"
  ],
  [
    "saveAsset of an impossible type",
    (gateway, id) => gateway.saveAsset({ sessionId: id, mediaType: "Text", content: Stream.empty }),
    "mediaType"
  ],
  [
    "saveAsset of too much",
    (gateway, id) => gateway.saveAsset({ sessionId: id, mediaType: "a/b", content: Stream.make(new Uint8Array(6)) }),
    "content"
  ],
  [
    "saveAsset with a long name",
    (gateway, id) => gateway.saveAsset({ sessionId: id, mediaType: "a/b", name: long, content: Stream.empty }),
    "name"
  ]
]

const isInvalid = (error: { readonly _tag: string }): error is SkeinError.InvalidInput => error._tag === "InvalidInput"

describe("P12 clear refusal", () => {
  for (const [what, call, field] of cases) {
    it.scoped(`P12 ${what} is refused, naming ${field}, and changes nothing`, () =>
      Effect.gen(function* () {
        const { everything, gateway, id } = yield* settled
        const before = yield* everything
        const error = yield* Effect.flip(call(gateway, id))
        expect(error._tag).toBe("InvalidInput")
        if (isInvalid(error)) {
          expect(error.field).toBe(field)
          expect(error.message).not.toContain(long)
        }
        expect(yield* everything).toEqual(before)
      })
    )
  }

  it.scoped("P12 a transcript that providers would refuse is not appended", () =>
    Effect.gen(function* () {
      const { everything, gateway, id } = yield* settled
      const before = yield* everything
      const user = { role: "user", parts: [{ type: "text", text: "hm" }] } as const
      const result = messages('[{"role":"tool","callId":"c","name":"n","outcome":"success","text":""}]')
      const refused = yield* Effect.flip(gateway.append(id, [user, ...result]))
      expect(refused).toMatchObject({ _tag: "AppendRefused", sessionId: id, reason: "result-without-call" })
      expect(yield* everything).toEqual(before)
    })
  )

  it.scoped("P12 creating a session that already exists is refused", () =>
    Effect.gen(function* () {
      const { everything, gateway, id } = yield* settled
      const before = yield* everything
      const refused = yield* Effect.flip(gateway.create({ workdir: "/other", id }))
      expect(refused).toMatchObject({ _tag: "SessionExists", sessionId: id })
      expect(yield* everything).toEqual(before)
    })
  )

  it.scoped("accepts values that are just within the limits", () =>
    Effect.gen(function* () {
      const { gateway, model, send } = yield* open({ config })
      yield* model.play(ScriptedModel.text("hi"))
      const made = yield* gateway.create({
        workdir: "C:\\work",
        title: " 12345\t7890 ",
        owner: Session.Owner.make("x".repeat(256)),
        metadata: { a: "x".repeat(90) },
        model: { provider: "p", model: "m" }
      })
      expect(made).toMatchObject({ title: "12345 7890", named: true, workdir: "C:\\work" })
      const run = yield* send(made.id, "hi", { idempotencyKey: "k".repeat(256), metadata: { b: [null, true, 1.5] } })
      expect((yield* gateway.await(run)).metadata).toEqual({ b: [null, true, 1.5] })
      expect((yield* gateway.sessions({ limit: 500 })).sessions).toHaveLength(1)
    })
  )

  it.scoped("keeps a part of an unknown type in an appended message", () =>
    Effect.gen(function* () {
      const { gateway, id, transcript } = yield* settled
      const [later] = messages('[{"role":"user","parts":[{"type":"text","text":"x"},{"type":"audio","of":{"a":1}}]}]')
      if (later === undefined) return
      yield* gateway.append(id, [later])
      expect((yield* transcript(id)).at(-1)?.message).toEqual(later)
    })
  )

  it.scoped("treats an undefined field as left out", () =>
    Effect.gen(function* () {
      const { gateway, model, send } = yield* open({
        config: { drainMillis: undefined, limits: { titleCharacters: undefined } }
      })
      yield* model.play(ScriptedModel.text("hi"))
      const options = { temperature: undefined, seed: 1 }
      const made = yield* gateway.create({
        id: undefined,
        title: undefined,
        owner: undefined,
        model: { provider: "p", model: "m", options }
      })
      const run = yield* send(made.id, "hi", { files: undefined, idempotencyKey: undefined })
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* model.requests)[0]?.options).toEqual({ seed: 1 })
      expect((yield* gateway.sessions({ owner: undefined, limit: undefined })).sessions).toHaveLength(1)
    })
  )
})
