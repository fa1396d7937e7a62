/** A disk without room for the new database: the damaged database is left as it is, and one line says why. */
import { expect } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { cpSync, readdirSync, readFileSync, statfsSync, statSync, writeFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Program from "../../unit/adapters/cli/Program.js"
import { ids, killed } from "../../unit/adapters/sqlite/killed.js"
import { databaseIn, spoil } from "../../unit/adapters/sqlite/populated.js"
import { disk, withMounts } from "./Machine.js"

withMounts("a full disk while a database is rebuilt: the damaged database is untouched until there is room", () =>
  Effect.gen(function* () {
    const mounted = yield* disk(8 * 1024 * 1024)
    const home = yield* Program.make()
    const data = join(mounted, "data")
    cpSync(yield* killed, data, { recursive: true })
    const path = databaseIn(data)
    const connection = new Sqlite(path)
    const page = connection.prepare<[], number>("SELECT max(pageno) FROM dbstat WHERE name = 'messages'").pluck().get()
    connection.close()
    spoil(path, page ?? 0)
    const before = readFileSync(path)
    /** Without the files that SQLite creates to read a database. */
    const namesIn = () => readdirSync(data).filter((name) => !name.startsWith("skein.db-"))
    const names = namesIn()
    const filler = join(mounted, "filler")
    const free = () => statfsSync(mounted).bavail * statfsSync(mounted).bsize
    const { size } = statSync(path)

    // Room for no copy, for part of a copy, for one copy and no more, for one copy and part of the new database.
    for (const room of [0, size / 2, size + 8192, size * 1.5]) {
      writeFileSync(filler, Buffer.alloc(Math.max(0, free() - room)))
      const repaired = yield* home.run(["doctor", "--repair", "--data", data])
      expect(repaired).toMatchObject({ code: 1, stdout: "" })
      expect(Program.isOneLine(repaired.stderr)).toBe(true)
      expect(repaired.stderr).toMatch(/^skein: cannot (?:open|rebuild) the database: the disk is full, \w+$/m)
      expect(readFileSync(path).equals(before)).toBe(true)
      expect(namesIn()).toEqual(names)
      rmSync(filler)
    }
    expect((yield* home.run(["doctor", "--repair", "--data", data])).stderr).toContain(
      "1 row or page could not be read"
    )
    const rebuilt = new Sqlite(path, { readonly: true })
    expect(rebuilt.prepare("SELECT count(*) FROM session_rows").pluck().get()).toBe(ids.length)
    rebuilt.close()
  })
)
