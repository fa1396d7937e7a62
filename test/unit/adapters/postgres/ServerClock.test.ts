/** Engines whose hosts' clocks differ by days, on one database. */
import { it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Redacted, Stream } from "effect"
import { Agents, Gateway, Model, Permissions } from "skein"
import { SkeinPostgres } from "skein/postgres"
import { ScriptedModel } from "skein/scripted-model"
import { describe, expect } from "vitest"
import * as ServerClock from "../../../../src/adapters/postgres/ServerClock.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { fresh } from "./storage.js"

const real = Clock.make()
const day = 24 * 60 * 60 * 1000

/** A clock that is wrong by `millis` milliseconds. */
const wrongBy = (millis: number): Clock.Clock => ({
  ...real,
  unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis() + millis,
  unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
  currentTimeMillis: Effect.map(real.currentTimeMillis, (now) => now + millis),
  currentTimeNanos: real.currentTimeNanos,
  sleep: (duration: Duration.Duration) => real.sleep(duration)
})

const engine = (schema: string, millis: number, model: Model.Model) =>
  Effect.gen(function* () {
    const { url } = yield* fresh
    const agent = Agents.layer({ models: Model.always(model), policy: Permissions.askToWrite })
    const layer = SkeinPostgres.layer({ url, schema, lanes: 1, readers: 1, drainMillis: 0 })
    const built = Layer.build(Layer.provide(layer, agent))
    return Context.get(yield* Effect.withClock(built, wrongBy(millis)), Gateway.Gateway)
  })

const answer = ScriptedModel.make([ScriptedModel.text("done")])

describe("The estimate of a server's clock", () => {
  it("stays within the bounds of each answer, and does not move while it can stay", () => {
    let now = 0
    const clock = ServerClock.make(() => now)
    const answered = (time: number) => {
      const told = clock.ask()
      now += 10
      told([{ time }])
      return clock.ahead()
    }
    expect(answered(1_005)).toBe(994)
    expect(answered(1_010)).toBe(994)
    expect(clock.now()).toBe(20 + 994)
    // The process's own clock was set.
    now = 5_000
    expect(answered(1_040)).toBe(1_040 - 5_000 + 1)
  })
})

Postgres.describe("Engines whose clocks differ", () => {
  it.scopedLive("give their commits the server's time", () =>
    Effect.gen(function* () {
      const { schema, url } = yield* fresh
      const engines = [yield* engine(schema, -day, answer), yield* engine(schema, day, answer)]
      for (const gateway of engines) {
        const { createdAt } = yield* gateway.create({})
        const [row] = yield* Postgres.once<{ readonly now: string }>(
          Redacted.value(url),
          "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now"
        )
        expect(Math.abs(Number(row?.now) - createdAt)).toBeLessThan(60_000)
      }
    })
  )

  for (const millis of [-day, day]) {
    it.scopedLive(`continue a run just left by an engine whose clock is ${millis > 0 ? "ahead" : "behind"}`, () =>
      Effect.gen(function* () {
        const { schema } = yield* fresh
        const never = { ...answer, step: () => Stream.never }
        const ref = yield* Effect.scoped(
          Effect.gen(function* () {
            const gateway = yield* engine(schema, millis, never)
            const { id } = yield* gateway.create({})
            return yield* gateway.send({ sessionId: id, text: "go on" })
          })
        )
        const other = yield* engine(schema, 0, answer)
        expect(yield* other.await(ref)).toMatchObject({ stopReason: "completed" })
      })
    )
  }
})
