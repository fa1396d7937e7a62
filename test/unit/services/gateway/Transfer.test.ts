/** Exports and imports: what comes out goes in unchanged, and an incomplete import leaves nothing. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Either, Fiber, FastCheck, Layer, Schema, Stream } from "effect"
import { Context } from "effect"
import { Gateway, Message, Permissions, Session, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { createHash } from "node:crypto"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../storage/disk.js"
import { damages, engineOn, look } from "../../adapters/sqlite/populated.js"
import { of, open } from "../runtime/fixture.js"
import { ann, bob } from "./owners.js"

const ask = Tool.make("ask", { description: "is asked about", input: { about: Schema.String } }).handle(() =>
  Effect.succeed("ran")
)

const agent = { tools: [ask], policy: Permissions.askToWrite }

const picture = new Uint8Array(100_000).map((_, index) => (index * 7) % 251)

/** Ann's session with everything that a session can have, and a child of it. */
const populated = Effect.gen(function* () {
  const engine = yield* open(agent)
  const { gateway, model } = engine
  yield* model.play(
    ScriptedModel.calls(ScriptedModel.call(ask, { about: "one" }), ScriptedModel.call(ask, { about: "two" })),
    ScriptedModel.text("done")
  )
  const { id } = yield* engine.session({ owner: ann, metadata: { a: [1, { b: null }] }, title: "Everything" })
  yield* gateway.append(id, [Message.userText("from elsewhere \u2028 日本 \0")], "key")
  const file = { sessionId: id, mediaType: "application/octet-stream" }
  yield* gateway.saveAsset({ ...file, name: "bytes", content: Stream.make(picture) })
  yield* gateway.saveAsset({ ...file, content: Stream.empty })
  const run = yield* engine.send(id, "go", { idempotencyKey: "run", metadata: { by: "ann" } })
  const { questionId } = yield* engine.seen(run, "permission.asked")
  yield* gateway.answer({ questionId, verdict: "allow-for-session", by: "ann" })
  yield* gateway.await(run)
  const child = yield* engine.session({ owner: bob, parent: id, title: "Child" })
  return { ...engine, id, child: child.id, questionId, run }
})

const encoder = new TextEncoder()

const linesOf = (gateway: Gateway.Service, which?: Gateway.ExportSessions) =>
  Effect.map(Stream.runCollect(gateway.exportSessions(which)), Chunk.toReadonlyArray)

const importing = (gateway: Gateway.Service, text: string | Uint8Array, options: Gateway.ImportSessions = {}) =>
  gateway.importSessions({
    ...options,
    content: Stream.make(typeof text === "string" ? encoder.encode(text) : text)
  })

/** What readers see of a session, without its cursor. */
const seen = (gateway: Gateway.Service, sessionId: Session.Id) =>
  Effect.gen(function* () {
    const { cursor: _, ...session } = yield* gateway.session(sessionId)
    const assets = yield* gateway.assets(sessionId)
    return {
      session,
      transcript: Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.transcript({ sessionId }))),
      timeline: Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.timeline({ sessionId }))),
      runs: yield* gateway.runs({ sessionId }),
      assets,
      contents: yield* Effect.forEach(assets, ({ id }) =>
        Stream.runFold(
          gateway.openAsset({ sessionId, assetId: id }),
          "",
          (hex, bytes) => hex + Buffer.from(bytes).toString("hex")
        )
      )
    }
  })

/** The same lines with an end line that matches them. */
const sealed = (lines: ReadonlyArray<string>): string => {
  const text = lines.slice(0, -1).join("")
  const end = {
    type: "skein.export.end",
    sessions: lines.filter((line) => line.startsWith('{"type":"session",')).length,
    lines: lines.length - 1,
    sha256: createHash("sha256").update(text).digest("hex")
  }
  return `${text}${JSON.stringify(end)}\n`
}

const nothing = (gateway: Gateway.Service) =>
  Effect.map(gateway.sessions({ total: true }), ({ total }) => expect(total).toBe(0))

/** An engine on a new data folder. */
const onDisk = Effect.gen(function* () {
  const data = join(yield* folder, "data")
  const context = yield* Layer.build(engineOn(data))
  return { data, ...of(Context.get(context, Gateway.Gateway)) }
})

describe("exportSessions and importSessions", () => {
  it.scopedLive("carry sessions from store to store and back, so that readers see the same", () =>
    Effect.gen(function* () {
      const { child, gateway, id, questionId } = yield* populated
      const lines = yield* linesOf(gateway)
      const disk = yield* onDisk
      const both = [id, child].map((sessionId) => ({ from: sessionId, sessionId, grantsLeftOut: 0 }))
      expect(yield* importing(disk.gateway, lines.join(""), { withGrants: true })).toEqual(both)
      for (const sessionId of [id, child]) {
        expect(yield* seen(disk.gateway, sessionId)).toEqual(yield* seen(gateway, sessionId))
      }
      expect(yield* disk.gateway.question(questionId)).toEqual(yield* gateway.question(questionId))
      expect(damages(yield* look(disk.data))).toEqual([])

      const memory = yield* open(agent)
      yield* importing(memory.gateway, (yield* linesOf(disk.gateway)).join(""), { withGrants: true })
      for (const sessionId of [id, child]) {
        expect(yield* seen(memory.gateway, sessionId)).toEqual(yield* seen(gateway, sessionId))
      }
      const rows = (all: ReadonlyArray<string>) => all.filter((line) => !/^{"type":"s(ession"|kein)/.test(line))
      expect(rows(yield* linesOf(memory.gateway))).toEqual(rows(lines))
    })
  )

  it.scopedLive("carry each message that can be sent, whatever it has the most values in; none can have more", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const of = (values: number): ReadonlyArray<Message.UserMessage> => {
        const fill = (count: number, one: (index: number) => readonly [string, number]) =>
          Object.fromEntries(Array.from({ length: count }, (_, index) => one(index)))
        const text = { type: "text", text: "a" } as const
        return [
          { role: "user", parts: Array.from({ length: values }, () => text) },
          { role: "user", parts: [{ ...text, providerMetadata: { a: Array.from({ length: values }, () => 0) } }] },
          { role: "user", parts: [{ ...text, providerMetadata: fill(values, (index) => [`k${index}`, 0]) }] }
        ]
      }
      const largest = [Math.floor((100_000 - 2) / 3), 100_000 - 7, 100_000 - 6]
      for (const [shape, most] of largest.entries()) {
        const { id } = yield* session()
        const append = (values: number) =>
          Effect.flatMap(Effect.fromNullable(of(values)[shape]), (message) => gateway.append(id, [message]))
        expect(Either.flip(yield* Effect.either(Effect.asVoid(append(most + 1))))).toMatchObject({
          right: { _tag: "InvalidInput", field: "messages.0", limit: "at most 100000 values" }
        })
        yield* append(most)
      }
      const other = yield* open()
      expect(yield* importing(other.gateway, (yield* linesOf(gateway)).join(""))).toHaveLength(3)
    })
  )

  it.scoped("leave out a session that is deleted before its turn, unless it was asked for by its id", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const other = yield* open()
      const ids = (yield* Effect.replicateEffect(session(), 3)).map(({ id }) => id)
      const exported = (which: Gateway.ExportSessions, gone: Session.Id) =>
        gateway.exportSessions(which).pipe(
          Stream.tap((line) => (line.includes('"skein.export"') ? gateway.delete(gone) : Effect.void)),
          Stream.runCollect,
          Effect.map((lines) => Chunk.join(lines, "")),
          Effect.either
        )
      const [first, second, third] = ids
      if (first === undefined || second === undefined || third === undefined) return
      const text = Either.getOrThrow(yield* exported({}, third))
      expect(yield* importing(other.gateway, text)).toHaveLength(2)
      expect(yield* exported({ sessionIds: [first, second] }, second)).toMatchObject({
        left: { _tag: "SessionNotFound", sessionId: second }
      })
    })
  )

  it.scoped("leave out which tools were allowed for a session, unless that is asked for, and say how many", () =>
    Effect.gen(function* () {
      const { gateway, id } = yield* populated
      const lines = yield* linesOf(gateway, { sessionIds: [id] })
      const other = yield* open(agent)
      const [imported] = yield* importing(other.gateway, lines.join(""))
      expect(imported).toEqual({ from: id, sessionId: id, grantsLeftOut: 1 })
      expect((yield* linesOf(other.gateway)).filter((line) => line.includes('"type":"grant"'))).toEqual([])
      yield* other.model.play(
        ScriptedModel.calls(ScriptedModel.call(ask, { about: "three" })),
        ScriptedModel.text("end")
      )
      yield* other.seen(yield* other.send(id, "once more"), "permission.asked")
    })
  )

  it.scoped("start a session's events afresh, and keep its idempotency keys and, if asked to, its grants", () =>
    Effect.gen(function* () {
      const { gateway, id, run } = yield* populated
      const lines = yield* linesOf(gateway, { sessionIds: [id] })
      const other = yield* open(agent)
      yield* importing(other.gateway, lines.join(""), { withGrants: true })
      const { cursor, oldest } = yield* other.gateway.snapshot(id)
      expect(oldest).toBe(cursor)
      const old = yield* gateway.session(id)
      expect(
        yield* Effect.flip(Stream.runHead(other.gateway.events({ sessionId: id, after: old.cursor })))
      ).toMatchObject({
        _tag: "CursorGone"
      })
      const again = yield* other.send(id, "go", { idempotencyKey: "run", metadata: { by: "ann" } })
      expect(again.runId).toBe(run.runId)
      yield* other.model.play(
        ScriptedModel.calls(ScriptedModel.call(ask, { about: "three" })),
        ScriptedModel.text("end")
      )
      const ended = yield* other.gateway.await(yield* other.send(id, "once more"))
      expect(ended.stopReason).toBe("completed")
      expect(yield* other.gateway.questions()).toEqual([])
    })
  )

  it.scoped("export what is settled of a session with a run", () =>
    Effect.gen(function* () {
      const engine = yield* open(agent)
      yield* engine.model.play(
        ScriptedModel.calls(ScriptedModel.call(ask, { about: "one" })),
        ScriptedModel.text("done")
      )
      const run = yield* engine.begin("go")
      yield* engine.seen(run, "permission.asked")
      yield* engine.send(run.sessionId, "later", { whenBusy: "queue" })
      const lines = yield* linesOf(engine.gateway)
      expect(lines[1]).toContain(`"head":1`)
      expect(lines[1]).toContain(`"going":"${run.runId}","waiting":1`)
      expect(lines.map((line) => /"type":"([^"]*)"/.exec(line)?.[1])).toEqual([
        "skein.export",
        "session",
        "run",
        "message",
        "session.end",
        "skein.export.end"
      ])
      const other = yield* open(agent)
      yield* importing(other.gateway, lines.join(""))
      expect(yield* other.gateway.run(run.runId)).toMatchObject({ state: "ended", stopReason: "crashed" })
      yield* other.model.play(ScriptedModel.text("resumed"))
      const resumed = yield* other.gateway.await(yield* other.gateway.resume(run.sessionId))
      expect(resumed.stopReason).toBe("completed")
    })
  )

  it.scopedLive(
    "refuse an export that is cut off at any line or byte, or changed at any byte, and keep nothing of it",
    () =>
      Effect.gen(function* () {
        const { gateway } = yield* populated
        const lines = yield* linesOf(gateway)
        const text = lines.join("")
        const bytes = encoder.encode(text)
        const memory = yield* open(agent)
        const refusal = (content: string | Uint8Array) =>
          Effect.flatMap(Effect.either(importing(memory.gateway, content)), (outcome) => {
            expect(outcome).toMatchObject({ left: { _tag: "ImportRefused" } })
            return Effect.zipRight(nothing(memory.gateway), Effect.succeed(Either.getOrThrow(Either.flip(outcome))))
          })
        for (const [index] of lines.entries()) {
          const refused = yield* refusal(lines.slice(0, index).join(""))
          expect(refused).toMatchObject({ line: index + 1, field: "" })
        }
        for (const at of FastCheck.sample(FastCheck.nat(bytes.length - 2), 100)) yield* refusal(bytes.subarray(0, at))
        for (const [at, mask] of FastCheck.sample(
          FastCheck.tuple(FastCheck.nat(bytes.length - 2), FastCheck.integer({ min: 1, max: 255 })),
          100
        )) {
          yield* refusal(bytes.map((byte, index) => (index === at ? byte ^ mask : byte)))
        }
        // The line break after the last line carries no information.
        yield* importing(memory.gateway, bytes.subarray(0, -1))
      })
  )

  it.scopedLive("leave no row and no file of an import that was refused, failed or was interrupted", () =>
    Effect.gen(function* () {
      const { gateway, id } = yield* populated
      const lines = yield* linesOf(gateway)
      const { data, ...disk } = yield* onDisk
      const isClean = Effect.gen(function* () {
        yield* nothing(disk.gateway)
        expect(existsSync(join(data, "assets")) ? readdirSync(join(data, "assets")) : []).toEqual([])
        const kinds = (yield* look(data)).map(({ finding }) => finding.kind)
        expect(kinds.filter((kind) => kind !== "log-in-use")).toEqual([])
      })
      const cut = encoder.encode(lines.slice(0, -2).join(""))
      expect(yield* Effect.flip(importing(disk.gateway, cut))).toMatchObject({ _tag: "ImportRefused" })
      yield* isClean
      const broken = Stream.concat(Stream.make(cut), Stream.fail("broken" as const))
      expect(yield* Effect.flip(disk.gateway.importSessions({ content: broken }))).toBe("broken")
      yield* isClean
      const isRead = yield* Deferred.make<void>()
      const endless = Stream.make(cut).pipe(
        Stream.concat(Stream.execute(Deferred.succeed(isRead, undefined))),
        Stream.concat(Stream.never)
      )
      const fiber = yield* Effect.fork(disk.gateway.importSessions({ content: endless }))
      yield* Deferred.await(isRead)
      expect(readdirSync(join(data, "assets"))).toContain(id)
      yield* Fiber.interrupt(fiber)
      yield* isClean
      yield* importing(disk.gateway, lines.join(""))
      expect(damages(yield* look(data))).toEqual([])
    })
  )

  it.scopedLive("keep an unfinished import hidden from other engines, and its ids taken", () =>
    Effect.gen(function* () {
      const { gateway, id } = yield* populated
      const lines = yield* linesOf(gateway)
      const { data, ...disk } = yield* onDisk
      const isRead = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const content = Stream.make(encoder.encode(lines.slice(0, -3).join(""))).pipe(
        Stream.concat(Stream.execute(Effect.zipRight(Deferred.succeed(isRead, undefined), Deferred.await(goOn)))),
        Stream.concat(Stream.make(encoder.encode(lines.slice(-3).join(""))))
      )
      const fiber = yield* Effect.fork(disk.gateway.importSessions({ content }))
      yield* Deferred.await(isRead)
      const other = of(Context.get(yield* Layer.build(engineOn(data)), Gateway.Gateway))
      expect(yield* Effect.flip(other.gateway.create({ id }))).toMatchObject({ _tag: "SessionExists" })
      expect(yield* Effect.flip(importing(other.gateway, lines.join("")))).toMatchObject({ _tag: "SessionExists" })
      expect(yield* Effect.flip(other.gateway.session(id))).toMatchObject({ _tag: "SessionNotFound" })
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(fiber)
      expect(yield* seen(other.gateway, id)).toEqual(yield* seen(gateway, id))
      expect(damages(yield* look(data))).toEqual([])
    })
  )

  it.scoped("refuse a session that exists, and import a copy of it under new ids", () =>
    Effect.gen(function* () {
      const { child, gateway, id } = yield* populated
      const lines = yield* linesOf(gateway)
      const before = yield* seen(gateway, id)
      expect(yield* Effect.flip(importing(gateway, lines.join("")))).toMatchObject({
        _tag: "SessionExists",
        sessionId: id
      })
      expect(yield* seen(gateway, id)).toEqual(before)
      const [one, two] = yield* importing(gateway, lines.join(""), { newIds: true })
      expect([one?.from, two?.from]).toEqual([id, child])
      const copy = yield* seen(gateway, Session.Id.make(one?.sessionId ?? ""))
      expect({ ...copy.session, id }).toEqual(before.session)
      expect(copy.contents).toEqual(before.contents)
      expect(copy.transcript.map(({ message }) => message)).toEqual(before.transcript.map(({ message }) => message))
      expect(yield* gateway.session(Session.Id.make(two?.sessionId ?? ""))).toMatchObject({ parent: one?.sessionId })
      expect(yield* seen(gateway, id)).toEqual(before)
    })
  )

  it.scoped("respect a restriction to one owner, and one to reading", () =>
    Effect.gen(function* () {
      const { child, context, gateway, id } = yield* populated
      const bobs = yield* Effect.provide(Gateway.forOwner(bob), context)
      expect(yield* Effect.flip(linesOf(bobs, { sessionIds: [id] }))).toMatchObject({ _tag: "SessionNotFound" })
      expect((yield* linesOf(bobs)).join("")).not.toContain(id + '","title')
      expect((yield* linesOf(bobs)).filter((line) => line.startsWith('{"type":"session",'))).toHaveLength(1)
      const [own] = yield* importing(bobs, (yield* linesOf(gateway, { sessionIds: [child] })).join(""), {
        newIds: true
      })
      expect(yield* bobs.session(Session.Id.make(own?.sessionId ?? ""))).toMatchObject({ owner: bob, parent: null })
      const reading = yield* Effect.provide(Gateway.restrict({ scope: "read" }), context)
      expect(yield* Effect.flip(importing(reading, ""))).toMatchObject({ _tag: "Forbidden" })
    })
  )

  it.scoped("say which line is wrong, and which field of it", () =>
    Effect.gen(function* () {
      const { gateway, id } = yield* populated
      const lines = yield* linesOf(gateway, { sessionIds: [id] })
      const other = yield* open({ ...agent, config: { limits: { messageBytes: 1_000_000, metadataBytes: 100 } } })
      const at = (type: string, nth = 0) =>
        lines.flatMap((line, index) => (line.startsWith(`{"type":"${type}"`) ? [index] : []))[nth] ?? -1
      const changed = (index: number, from: string | RegExp, to: string) =>
        sealed(lines.map((line, place) => (place === index ? line.replace(from, to) : line)))
      const without = (index: number) => sealed(lines.filter((_, place) => place !== index))
      const [session, run, message, asset, content, end] = [
        "session",
        "run",
        "message",
        "asset",
        "content",
        "session.end"
      ].map((type) => at(type))
      const long = "x".repeat(6_000_000)
      const deep = "[".repeat(50_000) + "]".repeat(50_000)
      const cases: ReadonlyArray<readonly [text: string, line: number, field: string]> = [
        ["", 1, ""],
        ["\n", 1, ""],
        ["{}\n", 1, "type"],
        ["null", 1, ""],
        ["\xff", 1, ""],
        ['{"type":"session"}\n', 1, "id"],
        [lines.slice(1).join(""), 1, "type"],
        [changed(0, '"version":1', '"version":2'), 1, "version"],
        [changed(0, '"version":1', '"version":"1"'), 1, "version"],
        [without(session ?? 0), 2, "type"],
        [changed(session ?? 0, /"cursor":\d+/, '"cursor":1'), 2, "cursor"],
        [changed(session ?? 0, /"cursor":\d+/, '"cursor":9007199254740991'), 2, "cursor"],
        [changed(session ?? 0, /"metadata":{/, `"metadata":{"much":"${long.slice(0, 200)}",`), 2, "metadata"],
        [changed(session ?? 0, /"workdir":"[^"]*"/, '"workdir":"a/b"'), 2, "workdir"],
        [changed(session ?? 0, /"id":"[^"]*"/, '"id":"../up"'), 2, "id"],
        [changed(session ?? 0, /"updatedAt":\d+/, '"updatedAt":8640000000000000'), 2, "updatedAt"],
        [changed(session ?? 0, /"createdAt":\d+/, '"createdAt":-62167219200001'), 2, "createdAt"],
        [changed(message ?? 0, /"at":\d+/, '"at":9007199254740991'), (message ?? 0) + 1, "at"],
        [changed(session ?? 0, /"steps":\d/, '"steps":9'), (end ?? 0) + 1, "messages"],
        [without(run ?? 0), (message ?? 0) + 1, "runId"],
        [changed(run ?? 0, /"resumes":null/, '"resumes":"run_none"'), (run ?? 0) + 1, "resumes"],
        [without(message ?? 0), (message ?? 0) + 1, "seq"],
        [
          changed(message ?? 0, '"parts":[', `"parts":[{"type":"text","text":"${long.slice(0, 1_000_000)}"},`),
          (message ?? 0) + 1,
          "message"
        ],
        [changed(message ?? 0, '"parts":[', `"new":${deep},"parts":[`), (message ?? 0) + 1, "message"],
        [
          changed(message ?? 0, '"parts":[', `"new":[${"0,".repeat(100_000)}0],"parts":[`),
          (message ?? 0) + 1,
          "message"
        ],
        [changed(message ?? 0, '"seq":', `"new":[${"{},".repeat(200_000)}0],"seq":`), (message ?? 0) + 1, ""],
        [changed(message ?? 0, '"role":"user"', '"role":"user","x":"' + long + '"'), (message ?? 0) + 1, ""],
        [changed(at("message", 2), '"role":"assistant"', '"role":"user"'), at("message", 3) + 1, "message"],
        [without(at("message", 3)), at("message", 3) + 1, "seq"],
        [changed(asset ?? 0, /"size":\d+/, '"size":100001'), at("asset", 1) + 1, "type"],
        [changed(asset ?? 0, /"size":\d+/, '"size":99999'), at("content", 2) + 1, "base64"],
        [changed(asset ?? 0, /"mediaType":"[^"]*"/, '"mediaType":"image/png"'), (content ?? 0) + 1, "content"],
        [changed(content ?? 0, /"base64":"..../, '"base64":"AAAA'), at("content", 2) + 1, "sha256"],
        [changed(content ?? 0, /"base64":"./, '"base64":"!'), (content ?? 0) + 1, "base64"],
        [changed(end ?? 0, /"grants":\d/, '"grants":7'), (end ?? 0) + 1, "grants"],
        [sealed(lines) + "\n", lines.length + 1, ""],
        [sealed(lines) + lines[0], lines.length + 1, "type"],
        [sealed([...lines.slice(0, -1), ...lines.slice(1)]), lines.length, "id"]
      ]
      for (const [text, line, field] of cases) {
        const refused = yield* Effect.flip(importing(other.gateway, text))
        expect([text.slice(0, 60), refused]).toMatchObject([text.slice(0, 60), { _tag: "ImportRefused", line, field }])
        expect(refused.message.length).toBeLessThan(400)
        yield* nothing(other.gateway)
      }
      yield* importing(other.gateway, sealed(lines))
    })
  )
})
