/**
 * The in-memory storage is the model: whatever is done to it and to the SQLite one, in whatever order, both answer the
 * same and show the same. Fast-check prints the seed and the shortest sequence that it finds.
 */
import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { SessionId } from "../../src/domain/Session.js"
import * as Transcript from "../../src/domain/Transcript.js"
import * as EngineConfig from "../../src/services/EngineConfig.js"
import * as EventSignals from "../../src/services/EventSignals.js"
import * as MemoryStorage from "../../src/services/memory/MemoryStorage.js"
import { type Service, Storage, StorageReader } from "../../src/services/Storage.js"
import * as disk from "../services/storage/disk.js"
import { handClock } from "../services/storage/suite/fixture.js"
import { Steps } from "./storage/Command.js"
import { outcome, type SessionView, sessionView, wholeView } from "./storage/compare.js"
import * as World from "./storage/World.js"

const sessions = [SessionId.make("s1"), SessionId.make("s2")]

const config = EngineConfig.layer({
  limits: { messageBytes: 2_500, metadataBytes: 1_000 },
  synchronous: "NORMAL"
})

const build = <E>(layer: Layer.Layer<Storage | StorageReader, E, EventSignals.EventSignals>) =>
  Layer.build(layer.pipe(Layer.provide([EventSignals.layer, config]), Layer.fresh)).pipe(
    Effect.map((context) => ({
      storage: Context.get(context, Storage),
      reader: Context.get(context, StorageReader)
    }))
  )

/** What holds of every session at any time. */
const checkPromises = ({ activity, entries, events, session: { cursor, head, id } }: SessionView): void => {
  expect(entries.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: head }, (_, index) => index + 1))
  expect(events.map((event) => event.cursor - cursor + events.length)).toEqual(events.map((_, index) => index + 1))
  expect(Transcript.fold(id, entries)._tag).toBe("Right")
  if (Option.isNone(activity.holder)) expect(Transcript.isSendable(entries)).toBe(true)
}

it.scopedLive.prop(
  "P1 P4 P5 P11 whatever is done, SQLite answers and shows what the model does",
  [Steps],
  ([steps]) => {
    const { clock, set } = handClock()
    return Effect.gen(function* () {
      const model = yield* build(MemoryStorage.layer)
      const tested = yield* build(disk.storage)
      const world = World.make()
      for (const { commands, wait } of steps) {
        yield* set((world.now += wait))
        const operations = yield* Effect.forEach(commands, (command) => World.operation(world, model.reader, command))
        const run = (storage: Service) =>
          Effect.forEach(operations, (operation) => outcome(operation(storage)), { concurrency: "unbounded" })
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
    }).pipe(Effect.withClock(clock))
  },
  { timeout: 90_000, fastCheck: { numRuns: 20, interruptAfterTimeLimit: 60_000 } }
)
