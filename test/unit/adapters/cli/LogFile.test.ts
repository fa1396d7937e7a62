import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { closeSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import * as LogFile from "../../../../src/adapters/cli/LogFile.js"
import { folder } from "../../services/storage/disk.js"

describe("a log file", () => {
  it.scoped("that is closed leaves the file alone that has its descriptor by then", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const told: Array<string | number> = []
      const tell = { failed: (code: string) => told.push(code), works: (dropped: number) => told.push(dropped) }
      const log = LogFile.open(join(root, "log"), tell)
      log.write("one")
      log.close()
      const other = openSync(join(root, "other"), "a")
      log.write("two")
      writeSync(other, "whole")
      closeSync(other)
      expect(readFileSync(join(root, "log"), "utf8")).toBe("one\n")
      expect(readFileSync(join(root, "other"), "utf8")).toBe("whole")
      expect(told).toEqual([])
    })
  )
})
