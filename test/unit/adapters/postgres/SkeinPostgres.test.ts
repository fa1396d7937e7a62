/** The preset as a whole: engines that share a database. */
import { it } from "@effect/vitest"
import { Chunk, Context, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { Agents, Gateway, Message, Model, Permissions, Run, SessionEvent } from "skein"
import { SkeinPostgres } from "skein/postgres"
import { ScriptedModel } from "skein/scripted-model"
import { expect } from "vitest"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { fresh } from "./storage.js"

const script = ScriptedModel.make([ScriptedModel.text("four")])
const agentOf = (model: Model.Model) => Agents.layer({ models: Model.always(model), policy: Permissions.askToWrite })

/** An engine of the test's own. */
const engine = (options: Partial<SkeinPostgres.Options>, model: Model.Model = script) =>
  Effect.gen(function* () {
    const { lanes, readers, schema, url } = yield* fresh
    const layer = SkeinPostgres.layer({ url, schema, lanes, readers, ...options })
    return Context.get(yield* Layer.build(Layer.provide(layer, agentOf(model))), Gateway.Gateway)
  })

Postgres.describe("The preset for PostgreSQL", () => {
  it.scopedLive("lets one engine watch a run of another as it happens", () =>
    Effect.gen(function* () {
      const { schema } = yield* fresh
      const sender = yield* engine({ schema })
      const watcher = yield* engine({ schema })
      const { id } = yield* sender.create({ title: "sums" })
      const watched = yield* Effect.fork(
        watcher.events({ sessionId: id }).pipe(
          Stream.takeUntil(SessionEvent.is("run.ended")),
          Stream.map(({ type }) => type),
          Stream.runCollect
        )
      )
      const run = yield* sender.send({ sessionId: id, text: "2 + 2?" })
      expect(yield* Effect.provideService(Run.answer(run), Gateway.Gateway, watcher)).toBe("four")
      const types = Chunk.toReadonlyArray(yield* Fiber.join(watched))
      expect(types.filter((type) => type === "message.appended")).toHaveLength(2)
      const entries = yield* Stream.runCollect(watcher.transcript({ sessionId: id }))
      expect(Chunk.toReadonlyArray(entries).map(({ message }) => Message.textOf(message))).toEqual(["2 + 2?", "four"])
    })
  )

  it.scopedLive("P12 clear refusal: keeps assets in the database, each of at most 32 MiB or a lower limit", () =>
    Effect.gen(function* () {
      const { schema, url } = yield* fresh
      const saver = yield* engine({ schema })
      const reader = yield* engine({ schema, limits: { assetBytes: 5 } })
      const { id: sessionId } = yield* saver.create({ title: "files" })
      const save = (gateway: Gateway.Service, size: number) =>
        gateway.saveAsset({
          sessionId,
          mediaType: "application/octet-stream",
          content: Stream.repeatValue(new Uint8Array(2 ** 18)).pipe(
            Stream.take(Math.floor(size / 2 ** 18)),
            Stream.concat(Stream.make(new Uint8Array(size % 2 ** 18)))
          )
        })
      const largest = yield* save(saver, 2 ** 25)
      const refused = { _tag: "InvalidInput", field: "content" }
      expect(yield* Effect.flip(save(saver, 2 ** 25 + 1))).toMatchObject({
        ...refused,
        limit: `at most ${2 ** 25} bytes`
      })
      expect(yield* Effect.flip(save(reader, 6))).toMatchObject({ ...refused, limit: "at most 5 bytes" })
      const read = yield* Stream.runFold(
        reader.openAsset({ sessionId, assetId: largest.id }),
        0,
        (sum, { length }) => sum + length
      )
      expect(read).toBe(2 ** 25)
      const stored = (table: string) =>
        Postgres.once(Redacted.value(url), `SELECT count(*)::int AS count FROM ${schema}.${table}`)
      expect(yield* stored("asset_files")).toEqual([{ count: 1 }])
      expect(yield* stored("asset_chunks")).toEqual([{ count: 128 }])
      yield* saver.delete(sessionId)
      expect(yield* stored("asset_chunks")).toEqual([{ count: 0 }])
    })
  )

  it.scopedLive("accepts what a model says even if PostgreSQL cannot store it as text", () =>
    Effect.gen(function* () {
      const nul = ScriptedModel.make([
        ScriptedModel.calls({ name: "no\0such", input: '{"a\\u0000":"\\u0000"}' }),
        { failure: { reason: "rejected", detail: "no\0" } }
      ])
      const gateway = yield* engine({}, nul)
      const { id } = yield* gateway.create({})
      const run = yield* gateway.await(yield* gateway.send({ sessionId: id, text: "go" }))
      expect(run).toMatchObject({ stopReason: "failed" })
      const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.transcript({ sessionId: id })))
      expect(JSON.stringify(entries)).toContain("no\uFFFDsuch")
    })
  )

  it.scopedLive("refuses an invalid setting by its name, without secrets of the URL", () =>
    Effect.gen(function* () {
      const refused = (options: Partial<SkeinPostgres.Options>) => Effect.flip(engine(options))
      expect(yield* refused({ lanes: 0 })).toMatchObject({ _tag: "InvalidInput", field: "lanes" })
      expect(yield* refused({ schema: "my schema" })).toMatchObject({ _tag: "InvalidInput", field: "schema" })
      const error = yield* refused({ url: Redacted.make("mysql://me:secret@localhost/x") })
      expect(error).toMatchObject({ _tag: "InvalidInput", field: "url" })
      expect(String(error)).not.toContain("secret")
    })
  )
})
