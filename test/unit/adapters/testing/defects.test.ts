/** Tests the storage tests: each of these broken storages fails a test that is about its defect. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { type StorageTest, storageTests } from "skein/testing"
import * as MemoryFiles from "../../../../src/services/assets/MemoryFiles.js"
import { bundle } from "../../../support/programs/Bundle.js"
import { engineIn, folder } from "../../services/storage/disk.js"
import { assetsCutShort, defects, startsTwice, sound, withAssets } from "./defects.js"

/** Names of the tests that fail; a test that waits for something that never comes counts as failed. */
const failing = (tests: ReadonlyArray<StorageTest>, patience: "2 seconds" | "60 seconds" = "2 seconds") =>
  Effect.forEach(
    tests,
    ({ name, run }) =>
      Effect.map(Effect.exit(Effect.timeout(run, patience)), (exit) => (Exit.isSuccess(exit) ? [] : [name])),
    { concurrency: 8 }
  ).pipe(Effect.map((names) => names.flat()))

const generated =
  "P1 P4 P5 P11 after any sequence of operations, answers and reads equal those of the in-memory storage"

/** The tests of the same promise as this test. */
const like = (name: string, tests: ReadonlyArray<StorageTest>) => {
  const [promise] = name.split(" ")
  return tests.filter((test) => test.promise === promise && test.name !== generated)
}

describe("the storage tests", () => {
  it.live("pass on a sound storage", () =>
    Effect.gen(function* () {
      const tests = storageTests({ layer: sound, assets: withAssets(MemoryFiles.layer), runs: 5 })
      expect(new Set(tests.map(({ name }) => name)).size).toBe(tests.length)
      expect(yield* failing(tests, "60 seconds")).toEqual([])
    })
  )

  for (const { caughtBy, defect, layer } of defects) {
    it.live(`notice when ${defect}`, () =>
      Effect.gen(function* () {
        expect(yield* failing(like(caughtBy, storageTests({ layer })))).toContain(caughtBy)
      })
    )
  }

  it.live("notice when an asset's content does not match its hash", () =>
    Effect.gen(function* () {
      const caughtBy =
        "P2 seen means stored: content is read back byte for byte, with its size and hash, however it was cut"
      const tests = storageTests({ layer: sound, assets: assetsCutShort })
      expect(yield* failing(like(caughtBy, tests))).toContain(caughtBy)
    })
  )

  it.live("find a defect by generated sequences, and show a counterexample", () =>
    Effect.gen(function* () {
      const found = yield* Effect.forEach(
        storageTests({ layer: startsTwice, runs: 40 }).filter(({ name }) => name === generated),
        ({ run }) => Effect.flip(run)
      )
      expect(String(found)).toContain("Counterexample")
    })
  )

  it.live("notice when a killed process had acknowledged messages that it had not stored", () =>
    Effect.gen(function* () {
      const caughtBy = "P2 seen means stored: a process killed while it writes loses nothing that was acknowledged"
      const processes = Effect.gen(function* () {
        const directory = yield* folder
        const program = yield* bundle(new URL("servedEarly.ts", import.meta.url), { whole: true })
        return { layer: engineIn(directory), program: { command: process.execPath, args: [program, directory] } }
      })
      const tests = storageTests({ layer: sound, processes }).filter(({ name }) => name === caughtBy)
      expect(yield* failing(tests, "60 seconds")).toEqual([caughtBy])
    })
  )
})
