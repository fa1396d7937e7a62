/** The preset as a whole: a real database and real files in a folder of its own. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Context, Effect, Exit, Fiber, Layer, Option, Schema, Scope, Stream } from "effect"
import { Agents, Gateway, Message, Model, Permissions, Run, SessionEvent } from "skein"
import { SkeinNode } from "skein/node"
import { EventSignals, MemoryStorage } from "skein/storage"
import { ScriptedModel } from "skein/scripted-model"
import { Gate } from "skein/testing"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-node-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const scripted = Agents.layer({ models: ScriptedModel.models, policy: Permissions.askToWrite })

const engine = Layer.unwrapScoped(
  Effect.map(folder, (path) =>
    SkeinNode.layer({ data: join(path, "data") }).pipe(
      Layer.provide(Layer.provide(scripted, ScriptedModel.layer)),
      Layer.merge(SqliteClient.layer({ filename: join(path, "host.db") })),
      Layer.orDie
    )
  )
)

describe("the preset for Node", () => {
  it.scopedLive("P1 32 writers at once: every message has a place of its own", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const { id } = yield* gateway.create({ workdir: "/" })
      const texts = Array.from({ length: 32 * 8 }, (_, n) => `message ${n}`)
      yield* Effect.forEach(texts, (text) => gateway.append(id, [Message.userText(text)]), { concurrency: 32 })
      const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.transcript({ sessionId: id })))
      assert.deepStrictEqual(
        entries.map(({ seq }): number => seq),
        texts.map((_, n) => n + 1)
      )
      assert.sameMembers(
        entries.map(({ message }) => Message.textOf(message)),
        texts
      )
    }).pipe(Effect.provide(engine))
  )

  it.scopedLive("P8 an upload that is stuck half-way blocks no other write", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const gate = yield* Gate.make
      const { id } = yield* gateway.create({ workdir: "/" })
      const half = new Uint8Array(1000).fill(7)
      const content = Stream.concat(Stream.make(half), Stream.fromEffect(Effect.as(gate.pass("half"), half)))
      const uploading = yield* Effect.fork(
        gateway.saveAsset({ sessionId: id, mediaType: "application/octet-stream", content })
      )
      yield* gate.reached("half")
      yield* gateway.append(id, [Message.userText("meanwhile")])
      assert.strictEqual(
        (yield* gateway.patch({ sessionId: id, title: "renamed meanwhile" })).title,
        "renamed meanwhile"
      )
      assert.deepStrictEqual(yield* gateway.assets(id), [])
      yield* gate.open("half")
      const asset = yield* Fiber.join(uploading)
      assert.strictEqual(asset.size, 2000)
      const stored = yield* Stream.runCollect(
        gateway.openAsset({ sessionId: id, assetId: asset.id, offset: 999, length: 2 })
      )
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(stored).flatMap((bytes) => [...bytes]),
        [7, 7]
      )
    }).pipe(Effect.provide(engine))
  )

  it.scopedLive("keeps its own writes when a host's transaction around them is rolled back", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE tickets (id INTEGER)`
      const { id } = yield* gateway.create({ workdir: "/" })
      const failed = yield* Effect.either(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO tickets (id) VALUES (1)`
            yield* gateway.append(id, [Message.userText("ours")])
            assert.strictEqual((yield* gateway.patch({ sessionId: id, title: "ours too" })).title, "ours too")
            return yield* Effect.fail("the host changed its mind")
          })
        )
      )
      assert.strictEqual(failed._tag, "Left")
      assert.deepStrictEqual(yield* sql`SELECT id FROM tickets`, [])
      const session = yield* gateway.session(id)
      assert.deepStrictEqual([session.title, session.head], ["ours too", 1])
    }).pipe(Effect.provide(engine))
  )

  const withModel = <E, R>(engine: Layer.Layer<Gateway.Gateway, E, R>) =>
    engine.pipe(Layer.provide(scripted), Layer.provideMerge(ScriptedModel.layer))

  /** Runs a turn, and saves an asset that is then read. */
  const used = Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    yield* (yield* ScriptedModel.ScriptedModel).play(ScriptedModel.text("hi"))
    const { id } = yield* gateway.create({ workdir: "/" })
    const answer = yield* Run.answer(yield* gateway.send({ sessionId: id, text: "hello" }))
    const content = Stream.make(new Uint8Array([1, 2]))
    const asset = yield* gateway.saveAsset({ sessionId: id, mediaType: "a/b", content })
    const stored = yield* Stream.runCollect(gateway.openAsset({ sessionId: id, assetId: asset.id }))
    return { answer, bytes: Chunk.toReadonlyArray(stored).flatMap((bytes) => [...bytes]) }
  })
  const expected = { answer: "hi", bytes: [1, 2] }

  it.scopedLive("uses a storage of the host's own, with only assets in the data folder", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      const storage = Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)
      assert.deepStrictEqual(yield* Effect.provide(used, withModel(SkeinNode.layerOver(storage, { data }))), expected)
      assert.isTrue(existsSync(join(data, "assets")))
      assert.isFalse(existsSync(join(data, "skein.db")))
    })
  )

  it.scopedLive("P5 an answer that does not fit is asked for again once, even if the engine is closed meanwhile", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      const Sum = Schema.Struct({ sum: Schema.Int })
      const { model, play, requests } = Context.get(
        yield* Layer.build(ScriptedModel.layer),
        ScriptedModel.ScriptedModel
      )
      const agent = Agents.layer({ models: Model.always(model), policy: Permissions.askToWrite })
      const withEngine = Effect.provide(Layer.provide(SkeinNode.layer({ data, drainMillis: 0 }), agent))
      yield* play(ScriptedModel.text("three"), { text: "well", hang: true })
      const first = yield* Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        const { id } = yield* gateway.create({})
        const run = yield* gateway.send({ sessionId: id, text: "1 + 2?", output: yield* Run.output(Sum) })
        yield* Effect.forkScoped(Run.answerAs(Sum)(run))
        const again = yield* gateway.events({ sessionId: id }).pipe(
          Stream.filter(SessionEvent.is("text.delta")),
          Stream.filter(({ runId }) => runId !== run.runId),
          Stream.runHead
        )
        assert.isTrue(Option.isSome(again))
        return run
      }).pipe(Effect.scoped, withEngine)
      yield* play(ScriptedModel.text('{"sum": 3}'))
      const again = Effect.gen(function* () {
        const value = yield* Run.answerAs(Sum)(first)
        const runs = yield* (yield* Gateway.Gateway).runs({ sessionId: first.sessionId })
        return { value, runs: runs.length }
      })
      for (let engine = 0; engine < 2; engine++) {
        assert.deepStrictEqual(yield* withEngine(again), { value: { sum: 3 }, runs: 2 })
      }
      assert.strictEqual((yield* requests).length, 3)
    })
  )

  it.scopedLive("P12 refuses what comes after it is closed", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(withModel(SkeinNode.layer({ data })), scope)
      const gateway = Context.get(context, Gateway.Gateway)
      const { id } = yield* gateway.create({})
      const content = Stream.make(new Uint8Array([1]))
      yield* Scope.close(scope, Exit.void)
      const late: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        gateway.create({}),
        gateway.session(id),
        gateway.sessions(),
        gateway.snapshot(id),
        gateway.append(id, [Message.userText("late")]),
        gateway.saveAsset({ sessionId: id, mediaType: "a/b", content }),
        gateway.delete(id),
        Stream.runDrain(gateway.transcript({ sessionId: id })),
        Stream.runDrain(gateway.events({ sessionId: id })),
        Stream.runDrain(gateway.changes()),
        Stream.runDrain(gateway.exportSessions())
      ]
      for (const operation of late) {
        assert.deepInclude(yield* Effect.flip(operation), { _tag: "StorageFailed", code: "CLOSED" })
      }
    })
  )

  for (const where of ["on disk", "in memory"] as const) {
    it.scopedLive(`P9 whoever waits when it closes is told, even where nothing can be interrupted (${where})`, () =>
      Effect.gen(function* () {
        const data = join(yield* folder, "data")
        const layer =
          where === "on disk" ? SkeinNode.layer({ data, drainMillis: 0 }) : SkeinNode.layerMemory({ drainMillis: 0 })
        const agents = Agents.layer({
          models: Model.always(ScriptedModel.make([ScriptedModel.hang])),
          policy: Permissions.allowAll
        })
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(Layer.provide(layer, agents), scope)
        const gateway = Context.get(context, Gateway.Gateway)
        const { id: sessionId } = yield* gateway.create({})
        const run = yield* gateway.send({ sessionId, text: "go" })
        const waits: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          gateway.await(run),
          Stream.runDrain(gateway.events({ sessionId })),
          Stream.runDrain(gateway.changes())
        ]
        const waiting = yield* Effect.forEach(waits, (wait) => Effect.fork(Effect.uninterruptible(Effect.flip(wait))))
        yield* Stream.runHead(Stream.filter(gateway.events({ sessionId }), SessionEvent.is("run.started")))
        yield* Scope.close(scope, Exit.void)
        for (const fiber of waiting) {
          assert.deepInclude(yield* Fiber.join(fiber), { _tag: "StorageFailed", code: "CLOSED" })
        }
      })
    )
  }

  it.scopedLive("keeps nothing when it is in memory: another engine finds no session", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.provide(used, withModel(SkeinNode.layerMemory())), expected)
      const found = Effect.flatMap(Gateway.Gateway, (gateway) => gateway.sessions({ total: true }))
      assert.strictEqual((yield* Effect.provide(found, withModel(SkeinNode.layerMemory()))).total, 0)
    })
  )
})
