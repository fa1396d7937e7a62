import { describe } from "@effect/vitest"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { drivers, inDatabase, type Test } from "./fixture.js"
import { readingTests, removingTests } from "./reading.js"
import { savingTests } from "./saving.js"
import { sweepTests } from "./sweeping.js"

const tests = (test: Test, inMemory: boolean) => {
  describe("saving", () => savingTests(test))
  describe("reading", () => readingTests(test))
  describe("removing", () => removingTests(test))
  describe("sweep", () => sweepTests(test, inMemory))
}

for (const [name, test] of drivers) describe(`Assets ${name}`, () => tests(test, name === "in memory"))

Postgres.describe("Assets in PostgreSQL", () => tests(inDatabase, false))
