import { describe } from "@effect/vitest"
import { drivers } from "./assets/fixture.js"
import { readingTests, removingTests } from "./assets/reading.js"
import { savingTests } from "./assets/saving.js"
import { sweepTests } from "./assets/sweeping.js"

for (const [name, test] of drivers) {
  describe(`Assets ${name}`, () => {
    describe("saving", () => savingTests(test))
    describe("reading", () => readingTests(test))
    describe("removing", () => removingTests(test))
    describe("sweep", () => sweepTests(test))
  })
}
