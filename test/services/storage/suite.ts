/** The tests that every Storage passes, whatever it keeps its rows in. */
import { describe } from "@effect/vitest"
import type { Layer } from "effect"
import { assetTests } from "./suite/assets.js"
import { batchTests } from "./suite/batches.js"
import { deletionTests } from "./suite/deletion.js"
import { eventTests } from "./suite/events.js"
import { type Tested, testOver } from "./suite/fixture.js"
import { leaseTests } from "./suite/leases.js"
import { questionTests } from "./suite/questions.js"
import { retentionTests } from "./suite/retention.js"
import { runTests } from "./suite/runs.js"
import { sessionTests } from "./suite/sessions.js"
import { transcriptTests } from "./suite/transcripts.js"

/** Runs the suite; `layer` gives a new and empty storage each time that it is built. */
export const storageSuite = <E>(name: string, layer: Layer.Layer<Tested, E>) => {
  const test = testOver(layer)
  describe(name, () => {
    describe("sessions", () => sessionTests(test))
    describe("transcripts", () => transcriptTests(test))
    describe("runs", () => runTests(test))
    describe("batches", () => batchTests(test))
    describe("leases", () => leaseTests(test))
    describe("questions", () => questionTests(test))
    describe("deletion", () => deletionTests(test))
    describe("events", () => eventTests(test))
    describe("retention", () => retentionTests(test))
    describe("assets", () => assetTests(test))
  })
}
