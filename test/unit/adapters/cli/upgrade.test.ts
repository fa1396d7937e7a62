/** Commands on a data folder of an older version, while another process has it open and once none has. */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { databaseIn } from "../../../../src/adapters/sqlite/DataLayout.js"
import * as Golden from "../../../support/golden/Golden.js"
import * as Program from "./Program.js"

const version = "0.1.0-schema-4"

/** A home with the data of that version. */
const older = Effect.gen(function* () {
  const home = yield* Program.make({ "script.json": JSON.stringify([{ text: "x" }]) })
  Golden.copy(join(Golden.golden(version), "data"), home.data)
  return home
})

/** The folder's database as an engine has it open. */
const opened = (data: string) => {
  const connection = new Sqlite(databaseIn(data))
  connection.pragma("journal_mode = WAL")
  const schema = () => connection.pragma("user_version", { simple: true })
  schema()
  return { schema, close: () => connection.close() }
}

const copies = (data: string) => readdirSync(data).filter((name) => name.includes(".before"))

const firstId = (listed: Effect.Effect.Success<ReturnType<Program.Home["run"]>>) =>
  Program.sessions(listed)[0]?.id ?? expect.unreachable()

describe("P13 a data folder of an older version", () => {
  it.scopedLive(
    "is read from a copy, and not migrated, while another process has it open; what would write is refused",
    () =>
      Effect.gen(function* () {
        const { data, run } = yield* older
        const shown = Golden.shown(Golden.golden(version), "sessions").length
        const other = opened(data)
        // Where the system lists locks, the process is named.
        const where = existsSync("/proc/locks") ? `process ${process.pid}` : "another process"
        const listed = yield* run(["sessions", "list", "--json"])
        expect(listed).toMatchObject({
          code: 0,
          stderr: `skein: the database is of an older version, and open in ${where}; reading a copy of it\n`
        })
        expect(Program.sessions(listed)).toHaveLength(shown)
        const id = firstId(listed)
        expect(yield* run(["sessions", "show", id])).toMatchObject({ code: 0 })
        for (const command of [
          ["sessions", "rename", id, "x"],
          ["run", "hello", "--session", id, "--model", "script/script.json"],
          ["watch", id],
          ["serve", "--port", "0", "--model", "script/script.json"]
        ]) {
          const refused = yield* run(command)
          expect([command, refused]).toMatchObject([command, { code: 1, stdout: "" }])
          expect(Program.isOneLine(refused.stderr)).toBe(true)
          expect(refused.stderr).toContain("another process has it open; end that process")
          expect(refused.stderr).toContain(existsSync("/proc/locks") ? `(process ${process.pid})` : "")
        }
        expect(other.schema()).toBe(4)
        expect(copies(data)).toEqual([])
        other.close()
      })
  )

  it.scopedLive("is migrated once no process has it open, and stderr names the copy of what it was", () =>
    Effect.gen(function* () {
      const { data, run } = yield* older
      const listed = yield* run(["sessions", "list", "--json"])
      const [copy = "", ...others] = copies(data)
      expect(others).toEqual([])
      expect(listed).toMatchObject({
        code: 0,
        stderr: `skein: the database was migrated; as it was before, it is in ${join(data, copy)}\n`
      })
      expect(yield* run(["sessions", "rename", firstId(listed), "x"])).toMatchObject({ code: 0, stderr: "" })
    })
  )
})
