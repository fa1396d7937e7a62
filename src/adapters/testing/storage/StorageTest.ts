/**
 * The tests of a storage as data: each has a name, and an effect that fails when the storage breaks the promise. Each
 * run of a test builds a new storage, so a test may run alone, repeatedly, or concurrently with others.
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import * as EngineConfig from "../../../services/EngineConfig.js"
import type { EventSignals } from "../../../services/storage/EventSignals.js"
import type { Storage, StorageReader } from "../../../services/storage/Storage.js"
import * as Promises from "./Promises.js"

/** The services under test. */
export type TestedServices = Storage | StorageReader | EventSignals

/** One test of the storage contract, for any test runner. */
export interface StorageTest {
  /** The promise that the test is about. Null for the rest of the contract. */
  readonly promise: Promises.Number | null
  /** Begins with the promise's number, where there is one. */
  readonly name: string
  /** Fails or dies when the storage breaks the promise. Never returns when the storage never answers. */
  readonly run: Effect.Effect<void, unknown>
  /** Milliseconds after which the test counts as failed: it hangs, as even a busy machine takes less. */
  readonly timeoutMillis: number
}

const timeoutMillis = 300_000

/** Makes a test that builds its own storage. */
export const make = <E>(name: string, run: Effect.Effect<void, E, Scope.Scope>): StorageTest => ({
  promise: Promises.promiseOf(name),
  name,
  run: Effect.scoped(run),
  timeoutMillis
})

/** The test's clock, which does not move until the test sets it. */
export class Now extends Context.Tag("skein/testing/Now")<
  Now,
  { readonly set: (millis: number) => Effect.Effect<void> }
>() {}

/** Makes a clock that shows 1,000 ms until it is set. Sleeps take real time. */
export const handClock = () => {
  let millis = 1_000
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => millis,
    unsafeCurrentTimeNanos: () => BigInt(millis) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => millis),
    currentTimeNanos: Effect.sync(() => BigInt(millis) * 1_000_000n),
    sleep: Clock.make().sleep
  }
  return { clock, set: (to: number) => Effect.sync(() => void (millis = to)) }
}

/** Registers a test, which gets a storage of its own. */
export type Test<Services = TestedServices> = <E>(
  name: string,
  body: () => Effect.Effect<void, E, Services | Now | Scope.Scope>
) => void

/** Returns the tests that `register` adds. Each gets a storage that `layer` builds for it, and a clock of its own. */
export const over = <Services, E>(
  layer: Layer.Layer<Services, E>,
  config: EngineConfig.Options,
  register: (test: Test<Services>) => void
): ReadonlyArray<StorageTest> => {
  const tests: Array<StorageTest> = []
  const built = Layer.fresh(Layer.provide(layer, EngineConfig.layer(config)))
  register((name, body) => {
    const run = Effect.suspend(() => {
      const { clock, set } = handClock()
      return body().pipe(Effect.provide(built), Effect.provideService(Now, { set }), Effect.withClock(clock))
    })
    tests.push(make(name, run))
  })
  return tests
}
