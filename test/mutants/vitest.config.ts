/** The tests by which mutants of `src/domain` are judged: its own, which say all that is said of it. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: { include: ["test/domain/**/*.test.ts"], setupFiles: ["test/mutants/setup.ts"], testTimeout: 120_000 }
})
