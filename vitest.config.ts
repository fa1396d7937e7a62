import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import LongFirst from "./test/support/LongFirst.js"

const src = fileURLToPath(new URL("./src", import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^skein$/, replacement: `${src}/index.ts` },
      { find: /^skein\/([^/]+)$/, replacement: `${src}/$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/postgres/globalSetup.ts"],
    runner: "./test/support/Runner.ts",
    sequence: { sequencer: LongFirst },
    pool: "forks",
    // One more than CI has cores: much of what tests do is to wait for processes of their own.
    poolOptions: { forks: { minForks: 3, maxForks: 3, isolate: false } },
    // For a test that hangs, and for all tests alike: a busy machine makes none of them fail.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: process.env.CI ? ["default", ["json", { outputFile: "dist/tests.json" }]] : ["default"]
  }
})
