/** Processes for tests: those of the storage tests, which start programs of a storage's own. */
export * from "../../../src/adapters/testing/Process.js"
