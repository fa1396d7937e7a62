/** Processes for tests: the same that the storage tests use to start a storage's programs. */
export * from "../../../src/adapters/testing/Process.js"
