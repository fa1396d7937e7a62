/** The tests by which mutants of `src/domain` are judged: its own, which say all that is said of it. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/unit/domain/**/*.test.ts"],
    setupFiles: ["test/support/mutants/setup.ts"],
    testTimeout: 120_000
  }
})
