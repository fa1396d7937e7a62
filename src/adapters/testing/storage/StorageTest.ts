/**
 * The tests of a storage as data: what each is about, and an effect that fails when the storage does not keep it. Each
 * run of one builds a new storage, so any may be run alone, again, or at once with others.
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import * as EngineConfig from "../../../services/EngineConfig.js"
import type { EventSignals } from "../../../services/storage/EventSignals.js"
import type { Storage, StorageReader } from "../../../services/storage/Storage.js"
import * as Promises from "./Promises.js"

/** What is tested. */
export type Tested = Storage | StorageReader | EventSignals

export interface StorageTest {
  /** The promise that it is about; null for what else the contract says. */
  readonly promise: Promises.Number | null
  /** Begins with the promise's number, where there is one. */
  readonly name: string
  /** Fails or dies when the storage does not keep it. Waits for ever when the storage does. */
  readonly run: Effect.Effect<void, unknown>
  /** Milliseconds after which it has failed. */
  readonly timeoutMillis: number
}

/** A test that makes by itself what it tests. */
export const make = <E>(
  name: string,
  run: Effect.Effect<void, E, Scope.Scope>,
  timeoutMillis = 30_000
): StorageTest => ({ promise: Promises.promiseOf(name), name, run: Effect.scoped(run), timeoutMillis })

/** Stands still until it is set. */
export class Now extends Context.Tag("skein/testing/Now")<
  Now,
  { readonly set: (millis: number) => Effect.Effect<void> }
>() {}

/** A clock that shows 1,000 ms until it is set; sleeping takes its time. */
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

/** Takes one test of a storage of its own. */
export type Test<Services = Tested> = <E>(
  name: string,
  body: () => Effect.Effect<void, E, Services | Now | Scope.Scope>
) => void

/** The tests that `register` gives, each over a storage that `layer` builds for it and with time that stands still. */
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
