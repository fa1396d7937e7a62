/** The client: each of its methods does over HTTP what the Gateway's method does, and events continue after a cut. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { describe, expect, it } from "@effect/vitest"
import { build } from "esbuild"
import { Chunk, Effect, Fiber, Layer, Queue, Stream, TestClock } from "effect"
import { Asset, Gateway, Message, Permissions, Session, SessionEvent, SkeinError, Tool } from "skein"
import { SkeinClient } from "skein/client"
import { SkeinHttp } from "skein/http"
import { ScriptedModel } from "skein/scripted-model"
import { mkdtempSync, rmSync } from "node:fs"
import type { AgentOptions } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate as immediate } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { open } from "../../services/runtime/fixture.js"
import * as Proxy from "./proxy.js"
import { serve, served } from "./server.js"

const clientOf = (port: number, headers = {}) =>
  Effect.provide(SkeinClient.make({ url: `http://127.0.0.1:${port}`, headers }), FetchHttpClient.layer)

const all = <A, E>(stream: Stream.Stream<A, E>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const ask = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("ran"))

describe("the client", () => {
  it.scopedLive("has all methods of the Gateway except `subscribe`", () =>
    Effect.gen(function* () {
      const { port } = yield* served()
      const client = yield* clientOf(port)
      expect([...Object.keys(client), "subscribe"].sort()).toEqual(Object.keys(Gateway.operations).sort())
    })
  )

  it.scopedLive("treats sessions, transcripts, runs and questions as the Gateway does", () =>
    Effect.gen(function* () {
      const { gateway, model, port } = yield* served({ tools: [ask], policy: Permissions.askToWrite })
      const client = yield* clientOf(port)
      const { id } = yield* client.create({ title: "One", metadata: { a: 1 } })
      expect(yield* client.session(id)).toEqual(yield* gateway.session(id))
      expect(yield* client.sessions({ activity: ["idle", "queued"], limit: 1, total: true })).toEqual(
        yield* gateway.sessions({ activity: ["idle", "queued"], limit: 1, total: true })
      )
      expect(yield* client.patch({ sessionId: id, title: "Two", model: null })).toMatchObject({ title: "Two" })
      const gone = Session.Id.make("gone")
      expect(yield* client.patchMany({ sessionIds: [id, gone], title: "Three" })).toMatchObject([
        { _tag: "Changed", session: { title: "Three" } },
        { _tag: "Failed", error: new SkeinError.SessionNotFound({ sessionId: gone }) }
      ])
      yield* client.append(id, [Message.userText("one")], "k")
      yield* client.append(id, [Message.userText("one")], "k")
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})), ScriptedModel.text("done"))
      const ref = yield* client.send({ sessionId: id, text: "go", idempotencyKey: "s" })
      expect(yield* client.send({ sessionId: id, text: "go", idempotencyKey: "s" })).toEqual(ref)
      yield* client.events({ sessionId: id }).pipe(Stream.filter(SessionEvent.is("permission.asked")), Stream.runHead)
      const snapshot = yield* client.snapshot(id)
      expect(snapshot).toMatchObject({ session: { id }, run: { crashed: false }, questions: [{ tool: "ask" }] })
      const [question] = yield* client.questions({ sessionId: id })
      const questionId = question?.id ?? (yield* Effect.dieMessage("no question"))
      expect(yield* client.question(questionId)).toEqual(question)
      yield* client.answer({ questionId, verdict: "allow-once" })
      expect(yield* Effect.flip(client.answer({ questionId, verdict: "deny" }))).toEqual(
        new SkeinError.QuestionAnswered({ questionId, verdict: "allow-once" })
      )
      expect(yield* client.await(ref)).toEqual(yield* gateway.run(ref.runId))
      expect(yield* client.run(ref.runId)).toEqual(yield* gateway.run(ref.runId))
      expect(yield* client.runRef(ref.runId)).toEqual(ref)
      expect(yield* client.runs({ sessionId: id, limit: 1 })).toEqual(yield* gateway.runs({ sessionId: id, limit: 1 }))
      expect(yield* client.resume(id)).toEqual(ref)
      expect(yield* all(client.transcript({ sessionId: id }))).toEqual(
        yield* all(gateway.transcript({ sessionId: id }))
      )
      const from = Message.Entry.fields.seq.make(2)
      expect(yield* all(client.timeline({ sessionId: id, from }))).toEqual(
        yield* all(gateway.timeline({ sessionId: id, from }))
      )
      expect(yield* client.entry({ sessionId: id, seq: from })).toEqual(
        yield* gateway.entry({ sessionId: id, seq: from })
      )
      yield* client.cancel(ref.runId)
      expect(yield* client.recover()).toEqual([])
      yield* client.delete(id)
      expect(yield* Effect.flip(client.session(id))).toEqual(new SkeinError.SessionNotFound({ sessionId: id }))
    })
  )

  it.scopedLive("P5 sends any key, and finds its run by it", () =>
    Effect.gen(function* () {
      const { gateway, model, port, session } = yield* served()
      const client = yield* clientOf(port)
      for (const idempotencyKey of ["plain", "a,b %41", "Größe", "日本", " lead", "trail ", "\n"]) {
        const { id: sessionId } = yield* session()
        yield* model.play(ScriptedModel.text("done"))
        const send = client.send({ sessionId, text: "go", idempotencyKey })
        const run = yield* send
        expect((yield* send).runId).toBe(run.runId)
        expect(yield* gateway.runs({ sessionId, idempotencyKey })).toMatchObject([{ id: run.runId }])
        expect(yield* client.runs({ sessionId, idempotencyKey })).toMatchObject([{ id: run.runId }])
        yield* client.await(run)
        const append = client.append(sessionId, [Message.userText("more")], idempotencyKey)
        expect(yield* append).toEqual(yield* append)
      }
    })
  )

  it.scopedLive("uploads and reads files, and exports and imports sessions", () =>
    Effect.gen(function* () {
      const { gateway, port, session } = yield* served()
      const client = yield* clientOf(port)
      const { id } = yield* session()
      const bytes = new Uint8Array(100_000).map((_, index) => index % 251)
      const content = Stream.fromIterable([bytes.slice(0, 7), bytes.slice(7)])
      const asset = yield* client.saveAsset({ sessionId: id, name: "ä b", mediaType: "a/b", content })
      expect(yield* client.assets(id)).toEqual(yield* gateway.assets(id))
      const read = (range: Partial<Gateway.AssetRange>) =>
        Effect.map(all(client.openAsset({ sessionId: id, assetId: asset.id, ...range })), (pieces) =>
          Buffer.concat(pieces)
        )
      expect((yield* read({})).equals(bytes)).toBe(true)
      expect((yield* read({ offset: 5, length: 9 })).equals(bytes.subarray(5, 14))).toBe(true)
      expect((yield* read({ offset: 99_990 })).equals(bytes.subarray(99_990))).toBe(true)
      const empty = yield* client.saveAsset({ sessionId: id, mediaType: "a/b", content: Stream.empty })
      for (const assetId of [asset.id, empty.id]) {
        const { size } = assetId === empty.id ? empty : asset
        for (const offset of [0, size - 1, size, size + 1, Number.MAX_SAFE_INTEGER].filter((at) => at >= 0)) {
          for (const length of [undefined, 0, 1, Number.MAX_SAFE_INTEGER]) {
            const range = { sessionId: id, assetId, offset, length }
            const readBy = (one: {
              readonly openAsset: (range: Gateway.AssetRange) => Stream.Stream<Uint8Array, unknown>
            }) => Effect.either(Effect.map(all(one.openAsset(range)), Buffer.concat))
            expect(yield* readBy(client), JSON.stringify(range)).toEqual(yield* readBy(gateway))
          }
        }
      }
      const lines = yield* all(client.exportSessions({ sessionIds: [id] }))
      const same = yield* all(gateway.exportSessions({ sessionIds: [id] }))
      expect(lines.slice(1, -1)).toEqual(same.slice(1, -1))
      const imported = yield* client.importSessions({
        newIds: true,
        content: Stream.encodeText(Stream.fromIterable(lines))
      })
      expect(imported).toMatchObject([{ from: id }])
      yield* client.deleteAsset(id, asset.id)
      const missing = Asset.Asset.fields.id.make(asset.id)
      expect(yield* Effect.flip(all(client.openAsset({ sessionId: id, assetId: missing })))).toEqual(
        new SkeinError.AssetNotFound({ sessionId: id, assetId: missing })
      )
    })
  )

  it.scopedLive("P10 reconnects after a cut: each event comes once, and hints begin with a gap", () =>
    Effect.gen(function* () {
      const { gateway, port, session } = yield* served()
      const proxy = yield* Proxy.make(port)
      const client = yield* clientOf(proxy.port)
      const { id } = yield* session()
      for (const title of ["a", "b", "c"]) yield* gateway.patch({ sessionId: id, title })
      proxy.cutAfter(2)
      const events = yield* all(Stream.take(client.events({ sessionId: id }), 4))
      expect(events.map((event) => SessionEvent.isDurable(event) && Number(event.cursor))).toEqual([1, 2, 3, 4])
      expect(yield* all(Stream.take(client.changes(), 1))).toEqual([{ kind: "gap" }])
      const after = Session.Cursor.make(99)
      expect(yield* Effect.flip(all(client.events({ sessionId: id, after })))).toEqual(
        new SkeinError.CursorGone({ sessionId: id, after, oldest: 1, newest: 4 })
      )
      yield* gateway.delete(id)
      expect(yield* Effect.flip(all(client.events({ sessionId: id })))).toEqual(
        new SkeinError.SessionNotFound({ sessionId: id })
      )
    })
  )

  it.scoped("awaits a run through cuts, refusals by a stopping server, and silence", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open()
      const lost = yield* Queue.unbounded<number>()
      const asked = yield* Queue.unbounded<number>()
      let count = 0
      const { port } = yield* serve({
        ...gateway,
        await: (ref) =>
          Effect.suspend(() => {
            asked.unsafeOffer(++count)
            return count === 3 ? Effect.die(new SkeinHttp.Stopping()) : count > 3 ? gateway.await(ref) : Effect.never
          })
      })
      const proxy = yield* Proxy.make(port)
      const onLost = Effect.suspend(() => Queue.offer(lost, count))
      const client = yield* Effect.provide(
        SkeinClient.make({ url: `http://127.0.0.1:${proxy.port}`, onLost }),
        FetchHttpClient.layer
      )
      const { id } = yield* session()
      yield* model.play(ScriptedModel.text("done"))
      const ref = yield* send(id, "go")
      const ended = yield* gateway.await(ref)
      const awaiting = yield* Effect.fork(client.await(ref))
      expect(yield* Queue.take(asked)).toBe(1)
      yield* TestClock.adjust("45 seconds")
      expect(yield* Queue.take(asked)).toBe(2)
      proxy.cut()
      expect(yield* Queue.take(lost)).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(yield* Queue.take(asked)).toBe(3)
      expect(yield* Queue.take(lost)).toBe(3)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(awaiting)).toEqual(ended)
    })
  )

  it.scoped("continues events after a cut, and reports when the server is not back at once", () =>
    Effect.gen(function* () {
      const { gateway, port, session } = yield* served()
      const proxy = yield* Proxy.make(port)
      const lost = yield* Queue.unbounded<string>()
      const came = yield* Queue.unbounded<string>()
      const client = yield* Effect.provide(
        SkeinClient.make({ url: `http://127.0.0.1:${proxy.port}`, onLost: Queue.offer(lost, "lost") }),
        FetchHttpClient.layer
      )
      const { id: sessionId } = yield* session()
      yield* client.events({ sessionId, after: Session.Cursor.make(0) }).pipe(
        Stream.runForEach(({ type }) => Queue.offer(came, type)),
        Effect.forkScoped
      )
      expect(yield* Queue.take(came)).toBe("session.created")
      proxy.cutAfter(0)
      proxy.cut()
      // Time goes on until the cut is noticed, whenever that is.
      const passing = Effect.forever(
        Effect.zipLeft(
          TestClock.adjust("1 second"),
          Effect.promise(() => immediate())
        )
      )
      const inTime = <A>(queue: Queue.Queue<A>) => Effect.raceFirst(Queue.take(queue), passing)
      expect(yield* inTime(lost)).toBe("lost")
      proxy.cutAfter(Number.POSITIVE_INFINITY)
      yield* gateway.patch({ sessionId, title: "later" })
      expect(yield* inTime(came)).toBe("session.renamed")
    })
  )

  it.scopedLive("distinguishes the Gateway's errors from refused access and an unreachable server", () =>
    Effect.gen(function* () {
      const { gateway } = yield* open()
      const who = SkeinHttp.principals(Effect.fail(new SkeinHttp.Unauthorized()))
      const { port } = yield* serve(gateway, who)
      const client = yield* clientOf(port)
      const refused = { reason: "refused", detail: "Unauthorized" }
      expect(yield* Effect.flip(client.sessions())).toMatchObject(refused)
      expect(yield* Effect.flip(all(client.events({ sessionId: Session.Id.make("s") })))).toMatchObject(refused)
      expect(yield* Effect.flip(client.sessions({ limit: 0 }))).toMatchObject({ _tag: "InvalidInput", field: "limit" })
      const nobody = yield* clientOf(1)
      expect(yield* Effect.flip(nobody.sessions())).toMatchObject({ reason: "unreachable" })
    })
  )

  it.scopedLive("works over a unix socket in Node", () =>
    Effect.gen(function* () {
      const { gateway } = yield* open()
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-sock-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const path = join(folder, "s.sock")
      yield* Layer.build(
        SkeinHttp.serve.pipe(
          Layer.provide([Layer.succeed(Gateway.Gateway, gateway), SkeinHttp.everybody]),
          Layer.provideMerge(NodeHttpServer.layer(SkeinHttp.createServer, { path })),
          Layer.orDie
        )
      )
      const agent: AgentOptions & { readonly socketPath: string } = { socketPath: path }
      const overSocket = NodeHttpClient.layerWithoutAgent.pipe(Layer.provide(NodeHttpClient.makeAgentLayer(agent)))
      const client = yield* Effect.provide(SkeinClient.make({ url: "http://skein" }), overSocket)
      const { id } = yield* client.create({})
      expect(yield* client.session(id)).toEqual(yield* gateway.session(id))
      const [event] = yield* all(Stream.take(client.events({ sessionId: id }), 1))
      expect(event).toMatchObject({ type: "session.created" })
    })
  )

  it("bundles for browsers without any module of Node", async () => {
    const entry = fileURLToPath(new URL("../../../../src/client.ts", import.meta.url))
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      platform: "browser",
      format: "esm",
      minify: true,
      write: false,
      logLevel: "silent"
    })
    const text = outputFiles[0]?.text ?? ""
    expect(text).not.toMatch(/from"node:|require\("/)
    expect(text.length).toBeLessThan(900_000)
  })
})
