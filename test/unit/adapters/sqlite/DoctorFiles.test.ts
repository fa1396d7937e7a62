/** The doctor on a database file alone, wherever it is: this is what a backup uses. */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as Doctor from "../../../../src/adapters/sqlite/doctor/Doctor.js"
import * as Rebuild from "../../../../src/adapters/sqlite/doctor/Rebuild.js"
import { folder } from "../../services/storage/disk.js"
import { ids, killed } from "./killed.js"
import { damages, databaseIn, spoil, tamper } from "./populated.js"

const look = (path: string) => Effect.provide(Doctor.lookAtDatabase(path), Identity.layer)

const idsIn = (path: string) => {
  const connection = new Sqlite(path, { readonly: true })
  const found = connection.prepare<[], string>("SELECT id FROM session_rows").pluck().all()
  connection.close()
  return found.toSorted()
}

describe("a database file", () => {
  it.scopedLive("is checked without the files of its assets, whatever its name", () =>
    Effect.gen(function* () {
      const data = yield* killed
      tamper(data, "UPDATE messages SET body = '{' WHERE session = 41 AND seq = 2")
      rmSync(join(data, "assets"), { recursive: true })
      const path = join(yield* folder, "snapshot")
      copyFileSync(databaseIn(data), path)
      const before = readFileSync(path)
      expect(damages(yield* look(path))).toEqual(["session full at 2: message-damaged"])
      expect(readFileSync(path).equals(before)).toBe(true)
    })
  )

  it.scopedLive("is salvaged into a new one, and is only read", () =>
    Effect.gen(function* () {
      const data = yield* killed
      const from = databaseIn(data)
      const to = join(yield* folder, "salvaged")
      spoil(from, 1)
      const before = readFileSync(from)
      const { recovered } = yield* Rebuild.salvage({ from, to })
      expect(recovered).toEqual([])
      expect(idsIn(to)).toEqual(ids.toSorted())
      expect(damages(yield* look(to))).toEqual([])
      expect(readFileSync(from).equals(before)).toBe(true)
    })
  )

  it.scopedLive("without a readable session gives nothing", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const [from, to] = [join(root, "from"), join(root, "to")]
      writeFileSync(from, "once upon a time ".repeat(1000))
      expect(yield* Effect.flip(Rebuild.salvage({ from, to }))).toMatchObject({ code: "NO_SESSION_READ" })
      expect(existsSync(to)).toBe(false)
    })
  )
})
