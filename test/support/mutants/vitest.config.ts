/** The tests that judge mutants of `src/domain`: its own tests, which specify all of its behavior. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/unit/domain/**/*.test.ts"],
    setupFiles: ["test/support/mutants/setup.ts"],
    testTimeout: 120_000
  }
})
