/** The preset as a whole: engines that share a database. */
import { it } from "@effect/vitest"
import { Chunk, Context, Effect, Fiber, Layer, Redacted, Stream } from "effect"
import { Agents, Gateway, Message, Model, Permissions, Run, SessionEvent } from "skein"
import { SkeinPostgres } from "skein/postgres"
import { ScriptedModel } from "skein/scripted-model"
import { expect } from "vitest"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { folder } from "../../services/storage/disk.js"
import { fresh } from "./storage.js"

const script = ScriptedModel.make([ScriptedModel.text("four")])
const agent = Agents.layer({ models: Model.always(script), policy: Permissions.askToWrite })

/** An engine of its own. */
const engine = (options: Partial<SkeinPostgres.Options>) =>
  Effect.gen(function* () {
    const { lanes, readers, schema, url } = yield* fresh
    const data = yield* folder
    const layer = SkeinPostgres.layer({ url, schema, lanes, readers, data, ...options })
    return Context.get(yield* Layer.build(Layer.provide(layer, agent)), Gateway.Gateway)
  })

Postgres.describe("The preset for PostgreSQL", () => {
  it.scopedLive("a message that one engine takes is seen by another, as it happens", () =>
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

  it.scopedLive("refuses a setting out of its range by its name, without the URL", () =>
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
