/**
 * Compares the tested storage with the in-memory storage, which is the model. For generated sequences of commands,
 * concurrent ones included, both must return the same answers and show the same state. A failure reports the seed and
 * the shortest sequence found.
 */
import { Array, Context, Effect, FastCheck, identity, Layer, Option, Runtime } from "effect"
import { SessionId } from "../../../../domain/Session.js"
import * as Transcript from "../../../../domain/Transcript.js"
import * as Actor from "../../../../services/Actor.js"
import * as EngineConfig from "../../../../services/EngineConfig.js"
import * as EventSignals from "../../../../services/storage/EventSignals.js"
import * as MemoryStorage from "../../../../services/storage/memory/MemoryStorage.js"
import { type Service, Storage, StorageReader } from "../../../../services/storage/Storage.js"
import * as StorageTest from "../StorageTest.js"
import { expect } from "../Vitest.js"
import { Steps } from "./Command.js"
import { outcome, type SessionView, sessionView, wholeView } from "./compare.js"
import * as World from "./World.js"

const sessions = [SessionId.make("s1"), SessionId.make("s2")]

/** Low, so that short sequences reach it. */
const limits = { metadataBytes: 1_000 }

const build = (layer: Layer.Layer<StorageTest.TestedServices, unknown>, config: EngineConfig.Options) =>
  Layer.build(layer.pipe(Layer.provide(EngineConfig.layer(config)), Layer.fresh)).pipe(
    Effect.map((context) => ({
      storage: Context.get(context, Storage),
      reader: Context.get(context, StorageReader)
    }))
  )

/** Invariants of every session. */
const checkPromises = ({ activity, entries, events, session: { cursor, head, id } }: SessionView): void => {
  expect(entries.length).toBe(head)
  expect(entries.map(({ seq }) => Number(seq))).toEqual(entries.map((_, index) => index + 1))
  expect(events.map((event) => event.cursor - cursor + events.length)).toEqual(events.map((_, index) => index + 1))
  expect(Transcript.fold(id, entries)._tag).toBe("Right")
  if (Option.isNone(activity.holder)) expect(Transcript.isSendable(entries)).toBe(true)
}

/** Runs the commands on both, and compares after each step. */
const compare = (
  layer: Layer.Layer<StorageTest.TestedServices, unknown>,
  config: EngineConfig.Options,
  isInOrder: boolean,
  steps: Steps
) => {
  const { clock, set } = StorageTest.handClock()
  return Effect.gen(function* () {
    const model = yield* build(Layer.provideMerge(MemoryStorage.layer, EventSignals.layer), config)
    const tested = yield* build(layer, config)
    const world = World.make()
    for (const { commands, wait } of steps) {
      yield* set((world.now += wait))
      const operations = yield* Effect.forEach(commands, (command) =>
        Effect.map(World.operation(world, model.reader, command), (operation) => ({
          command,
          operation,
          as: Actor.as(World.nextActor(world))
        }))
      )
      // A `prune` reads which events to remove before the commit that removes them, so it runs alone.
      const atOnce = Array.isNonEmptyArray(operations)
        ? Array.groupWith(operations, (one, next) => one.command._tag !== "prune" && next.command._tag !== "prune")
        : []
      const run = (storage: Service) =>
        Effect.forEach(atOnce, (group) =>
          Effect.forEach(group, ({ as, operation }) => outcome(as(operation(storage))), {
            concurrency: isInOrder ? "unbounded" : 1
          })
        )
      expect(yield* run(tested.storage)).toEqual(yield* run(model.storage))
      for (const sessionId of sessions) {
        const view = yield* sessionView(model.reader, sessionId)
        expect(yield* sessionView(tested.reader, sessionId)).toEqual(view)
        if (Option.isNone(view)) continue
        checkPromises(view.value)
        World.remember(world, view.value.session, view.value.activity)
      }
    }
    expect(yield* wholeView(tested.reader, world, sessions)).toEqual(yield* wholeView(model.reader, world, sessions))
  }).pipe(Effect.withClock(clock), Effect.scoped)
}

export const generatedTests = (
  layer: Layer.Layer<StorageTest.TestedServices, unknown>,
  config: EngineConfig.Options,
  runs: number,
  isInOrder: boolean
): ReadonlyArray<StorageTest.StorageTest> => [
  StorageTest.make(
    "P1 P4 P5 P11 after any sequence of operations, answers and reads equal those of the in-memory storage",
    Effect.gen(function* () {
      const runPromise = Runtime.runPromise(yield* Effect.runtime<never>())
      const bounded = { ...config, limits: { ...config.limits, ...limits } }
      const property = FastCheck.asyncProperty(Steps, (steps) => runPromise(compare(layer, bounded, isInOrder, steps)))
      const parameters = { numRuns: runs, interruptAfterTimeLimit: 60_000 }
      yield* Effect.tryPromise({ try: () => FastCheck.assert(property, parameters), catch: identity })
    })
  )
]
