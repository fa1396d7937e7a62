/**
 * What any storage must keep, as tests that anybody can run on theirs.
 *
 * They show that no broken promise was found, not that there is none: how the storage behaves when its disk is full or
 * the power fails is not among them, and between processes they meet the interleavings that this machine makes.
 */
import type { Effect, Layer, Scope } from "effect"
import type * as EngineConfig from "../../../services/EngineConfig.js"
import { assetTests } from "./assets.js"
import { batchTests } from "./batches.js"
import { contentTests, type WithAssets } from "./contents.js"
import { deletionTests } from "./deletion.js"
import { durableTests } from "./durable.js"
import { eventTests } from "./events.js"
import { generatedTests } from "./generated/generated.js"
import { leaseTests } from "./leases.js"
import type { StorageFolder, SharedStorageFolder } from "./StorageFolder.js"
import { processTests } from "./processes.js"
import * as Promises from "./Promises.js"
import { questionTests } from "./questions.js"
import { retentionTests } from "./retention.js"
import { runTests } from "./runs.js"
import { sessionTests } from "./sessions.js"
import { over, type StorageTest, type Test, type Tested } from "./StorageTest.js"
import { transcriptTests } from "./transcripts.js"
import { vitest } from "./Vitest.js"

export interface Options {
  /** A new and empty storage each time that it is built. It takes its limits from `EngineConfig`. */
  readonly layer: Layer.Layer<Tested, unknown>
  /** What `EngineConfig` is in the tests, but for limits that some lower. Defaults to the defaults. */
  readonly config?: EngineConfig.Options
  /** Sequences of commands that are made up and compared with the in-memory storage. Defaults to 20. */
  readonly runs?: number
  /** For a storage that outlives its layer: a new and empty folder each time. */
  readonly folder?: Effect.Effect<StorageFolder, unknown, Scope.Scope>
  /** The same for one that several processes share: with the program of such a process. Replaces `folder` too. */
  readonly processes?: Effect.Effect<SharedStorageFolder, unknown, Scope.Scope>
  /** For a storage with assets: both, new and empty each time that it is built. */
  readonly assets?: Layer.Layer<WithAssets, unknown>
}

const rows = (test: Test) => {
  sessionTests(test)
  transcriptTests(test)
  runTests(test)
  batchTests(test)
  leaseTests(test)
  questionTests(test)
  deletionTests(test)
  eventTests(test)
  retentionTests(test)
  assetTests(test)
}

/** The tests as data, for whoever wants to run them otherwise. They need vitest's `expect`, and so to be run by it. */
export const storageTests = (options: Options): ReadonlyArray<StorageTest> => {
  const { assets, config = {}, layer, processes, folder = processes, runs = 20 } = options
  return [
    ...over(layer, config, rows),
    ...generatedTests(layer, config, runs),
    ...(folder === undefined ? [] : durableTests(folder, config)),
    ...(processes === undefined ? [] : processTests(processes, config)),
    ...(assets === undefined ? [] : over(assets, config, contentTests))
  ]
}

/** Puts the tests before vitest, by promise. Called at the top of a test file. */
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
