/** The engine that commands run on, loaded when a command needs it: `--help` and wrong usage load none of it. */
import { Effect, Layer } from "effect"
import * as Agents from "../../services/Agents.js"
import type { Options } from "../node/SkeinNode.js"
import * as DataFolder from "../node/DataFolder.js"
import * as FolderPrivacy from "../node/FolderPrivacy.js"
import * as Unusable from "../sqlite/Unusable.js"
import * as OpeningProgress from "./OpeningProgress.js"
import * as ReadingCopy from "./ReadingCopy.js"
import { Signals } from "./Signals.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Sessions.js"

/**
 * A command works for one person: it waits for nothing when it is stopped, and takes up nothing by itself. What it leaves
 * goes on by `--resume`, and ends when another message comes.
 */
const shortLived = { drainMillis: 0, recoverMillis: null, continueWithinMillis: 0 }

/**
 * An engine on the data folder: the one given with `--data`, else the usual one. Until it is open, a signal ends the
 * process at once.
 */
export const layer = (given: string | null, options: Omit<Options, "data"> = {}) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const data = yield* DataFolder.data(yield* DataFolder.host, given ?? undefined)
      yield* Effect.try({ try: () => FolderPrivacy.ensure(data), catch: Unusable.fromUnknown(data) })
      const preset = yield* Effect.promise(() => import("../node/SkeinNode.js"))
      const { arm } = yield* Signals
      return Layer.tap(
        Layer.scopedContext(OpeningProgress.during(Layer.build(preset.layer({ ...options, ...shortLived, data })))),
        () => arm
      )
    })
  )

/** An engine for looking at sessions and managing them; nothing runs on it. */
export const layerWithoutRuns = (given: string | null) =>
  Layer.provide(layer(given), Agents.layerNone("this command runs none"))

/** The same for commands that only read: where the disk is full or read-only, it works on a copy of the database. */
export const layerForReading = (given: string | null) =>
  Layer.catchAll(layerWithoutRuns(given), (error) =>
    error._tag !== "InvalidInput" && ReadingCopy.isWorthwhile(error)
      ? Layer.unwrapScoped(
          Effect.gen(function* () {
            const data = yield* DataFolder.data(yield* DataFolder.host, given ?? undefined)
            const copy = yield* ReadingCopy.make(data, error)
            yield* (yield* Screen).writeError(`skein: ${Texts.readingCopy}\n`)
            return layerWithoutRuns(copy)
          })
        )
      : Layer.fail(error)
  )
