import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

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
    pool: "forks",
    poolOptions: { forks: { maxForks: 2, isolate: false } },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: process.env.CI ? ["default", ["json", { outputFile: "dist/tests.json" }]] : ["default"]
  }
})
