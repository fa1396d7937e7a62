import { describe } from "@effect/vitest"
import { drivers } from "./fixture.js"
import { readingTests, removingTests } from "./reading.js"
import { savingTests } from "./saving.js"
import { sweepTests } from "./sweeping.js"

for (const [name, test] of drivers) {
  describe(`Assets ${name}`, () => {
    describe("saving", () => savingTests(test))
    describe("reading", () => readingTests(test))
    describe("removing", () => removingTests(test))
    describe("sweep", () => sweepTests(test))
  })
}
