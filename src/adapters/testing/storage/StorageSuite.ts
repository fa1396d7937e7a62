/**
 * The tests that every storage must pass. Run them on a storage of your own.
 *
 * They can find a broken promise, but cannot prove that none is broken. They do not fill the disk or cut the power.
 * Between processes they see only the interleavings that this machine happens to produce.
 */
import type { Effect, Layer, Scope } from "effect"
import type * as EngineConfig from "../../../services/EngineConfig.js"
import { actorTests } from "./actors.js"
import { assetTests } from "./assets.js"
import { batchTests } from "./batches.js"
import { changeTests } from "./changes.js"
import { contentTests, type WithAssets } from "./contents.js"
import { deletionTests } from "./deletion.js"
import { durableTests } from "./durable.js"
import { eventTests } from "./events.js"
import { exportTests } from "./exports.js"
import { generatedTests } from "./generated/generated.js"
import { leaseTests } from "./leases.js"
import type { StorageFolder, SharedStorageFolder } from "./StorageFolder.js"
import { listTests } from "./lists.js"
import { placementTests } from "./placements.js"
import { processTests } from "./processes.js"
import * as Promises from "./Promises.js"
import { questionTests } from "./questions.js"
import { recoveryTests } from "./recovery.js"
import { resumeTests } from "./resuming.js"
import { retentionTests } from "./retention.js"
import { runTests } from "./runs.js"
import { sessionTests } from "./sessions.js"
import { over, type StorageTest, type Test, type TestedServices } from "./StorageTest.js"
import { timelineTests } from "./timeline.js"
import { transcriptTests } from "./transcripts.js"
import { vitest } from "./Vitest.js"

/** What the suite runs on. */
export interface Options {
  /** Makes a new and empty storage each time that it is built. The storage takes its limits from `EngineConfig`. */
  readonly layer: Layer.Layer<TestedServices, unknown>
  /** The tests' `EngineConfig`, except for limits that some tests lower. Defaults to `EngineConfig.defaults`. */
  readonly config?: EngineConfig.Options
  /** The number of generated sequences of commands that are compared with the in-memory storage. Defaults to 20. */
  readonly runs?: number
  /**
   * Whether concurrent writes are made in the order in which they are asked for, whatever their sessions. Defaults to
   * true. If false, the generated commands are run one by one.
   */
  readonly isInOrder?: boolean
  /** For a storage that outlives its layer. Makes a new and empty folder each time. */
  readonly folder?: Effect.Effect<StorageFolder, unknown, Scope.Scope>
  /**
   * For a storage that several processes share: a folder, with the program of such a process. Also serves as `folder`
   * when that is not set.
   */
  readonly processes?: Effect.Effect<SharedStorageFolder, unknown, Scope.Scope>
  /** For a storage with assets. Makes both, new and empty, each time that it is built. */
  readonly assets?: Layer.Layer<WithAssets, unknown>
}

const rows = (test: Test) => {
  sessionTests(test)
  listTests(test)
  changeTests(test)
  transcriptTests(test)
  timelineTests(test)
  runTests(test)
  batchTests(test)
  leaseTests(test)
  placementTests(test)
  recoveryTests(test)
  resumeTests(test)
  questionTests(test)
  deletionTests(test)
  eventTests(test)
  retentionTests(test)
  assetTests(test)
  actorTests(test)
  exportTests(test)
}

/** Returns the tests as data, to run them in another way. They use vitest's `expect`, so vitest must run them. */
export const storageTests = (options: Options): ReadonlyArray<StorageTest> => {
  const { assets, config = {}, isInOrder = true, layer, processes, folder = processes, runs = 20 } = options
  return [
    ...over(layer, config, rows),
    ...generatedTests(layer, config, runs, isInOrder),
    ...(folder === undefined ? [] : durableTests(folder, config)),
    ...(processes === undefined ? [] : processTests(processes, config)),
    ...(assets === undefined ? [] : over(assets, config, contentTests))
  ]
}

/** Registers the tests with vitest, grouped by promise. Call it at the top level of a test file. */
export const storageSuite = (options: Options & { readonly name: string }): void => {
  const { describe, it } = vitest()
  const all = storageTests(options)
  describe(options.name, () => {
    for (const promise of [...Promises.numbers, null]) {
      describe(Promises.title(promise), () => {
        for (const { name, run, timeoutMillis } of all.filter((test) => test.promise === promise)) {
          it.live(name, () => run, timeoutMillis)
        }
      })
    }
  })
}
