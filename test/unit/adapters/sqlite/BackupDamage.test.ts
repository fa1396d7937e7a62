/**
 * A restore takes whatever a backup accepts: damage is reported and kept, and a salvage brings back what can be read.
 */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as BackupWriter from "../../../../src/adapters/sqlite/backup/BackupWriter.js"
import * as Golden from "../../../support/golden/Golden.js"
import { folder } from "../../services/storage/disk.js"
import { backUp, restore, salvage } from "./backingUp.js"
import { asides } from "./damaged.js"
import { ids, killed, rowsOf, sendToAll, sessions } from "./killed.js"
import { assetFile, assetText, damages, databaseIn, look, populate, spoil, tamper } from "./populated.js"

const { full, plainer } = sessions

/** Changes the schema's text while the statement runs, so that a column takes a value that it should not take. */
const loosened = (data: string, table: string, strict: string, loose: string, statement: string): void => {
  const connection = new Sqlite(databaseIn(data))
  connection.unsafeMode(true)
  connection.pragma("writable_schema = ON")
  connection.pragma("foreign_keys = OFF")
  const change = (from: string, to: string) => {
    connection.prepare("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?").run(from, to, table)
    connection.pragma(`schema_version = ${Number(connection.pragma("schema_version", { simple: true })) + 1}`)
  }
  change(strict, loose)
  connection.exec(statement)
  change(loose, strict)
  connection.close()
}

const pageOf = (data: string, table: string): number => {
  const connection = new Sqlite(databaseIn(data))
  connection.pragma("wal_checkpoint(TRUNCATE)")
  const page = connection
    .prepare<[string], number>("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno DESC")
    .pluck()
    .get(table)
  connection.close()
  return page ?? 0
}

const countOf = (data: string, statement: string): number => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const count = connection.prepare<[], number>(statement).pluck().get()
  connection.close()
  return count ?? 0
}

const bodiesOf = (data: string): ReadonlyArray<string> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const bodies = connection.prepare<[], string>("SELECT body FROM messages ORDER BY session, seq").pluck().all()
  connection.close()
  return bodies
}

interface Case {
  readonly name: string
  readonly harm: (data: string) => void
  /** Sessions whose rows must not change. */
  readonly untouched: ReadonlyArray<keyof typeof sessions>
  /** What is reported as lost in total. */
  readonly lost: { readonly messages: number; readonly files: number }
}

const all = ["full", "plainer", "held", "drafting", "asking", "reused"] as const
const allBut = (...harmed: ReadonlyArray<keyof typeof sessions>) => all.filter((name) => !harmed.includes(name))
const none = { messages: 0, files: 0 }

const cases: ReadonlyArray<Case> = [
  {
    name: "a row of a session that is not there",
    harm: (data) => tamper(data, "INSERT INTO grants VALUES (99, 'x')"),
    untouched: all,
    lost: none
  },
  {
    name: "a NULL where none is allowed",
    harm: (data) =>
      loosened(
        data,
        "session_rows",
        "title TEXT NOT NULL",
        "title TEXT",
        "UPDATE session_rows SET title = NULL WHERE id = 'full'"
      ),
    untouched: allBut("full"),
    lost: none
  },
  {
    name: "a value of a wrong type",
    harm: (data) =>
      loosened(
        data,
        "messages",
        "body TEXT NOT NULL",
        "body BLOB NOT NULL",
        `UPDATE messages SET body = x'00' WHERE session = ${plainer} AND seq = 2`
      ),
    untouched: allBut("plainer"),
    lost: { messages: 1, files: 0 }
  },
  {
    name: "a message that does not decode",
    harm: (data) => tamper(data, `UPDATE messages SET body = '{' WHERE session = ${plainer} AND seq IN (1, 3)`),
    untouched: allBut("plainer"),
    lost: { messages: 2, files: 0 }
  },
  {
    name: "missing messages",
    harm: (data) => tamper(data, `DELETE FROM messages WHERE session = ${full} AND seq IN (2, 3)`),
    untouched: allBut("full"),
    lost: { messages: 2, files: 0 }
  },
  {
    name: "a session without its own row",
    harm: (data) => tamper(data, `DELETE FROM session_rows WHERE ordinal = ${full}`),
    untouched: allBut("full"),
    lost: none
  },
  {
    name: "a missing file",
    harm: (data) => rmSync(join(data, "assets", "full", readdirSync(join(data, "assets", "full"))[0] ?? "")),
    untouched: allBut("full"),
    lost: { messages: 0, files: 1 }
  },
  {
    name: "a file that was changed",
    harm: (data) =>
      writeFileSync(join(data, "assets", "full", readdirSync(join(data, "assets", "full"))[0] ?? ""), "other"),
    untouched: allBut("full"),
    lost: { messages: 0, files: 1 }
  }
]

/** A populated folder of the present version, and paths next to it. */
const place = Effect.gen(function* () {
  const data = yield* killed
  const root = join(data, "..")
  return { data, root, file: join(root, "all.skein"), fresh: join(root, "fresh") }
})

describe("a backup of a damaged folder", () => {
  for (const { harm, lost, name, untouched } of cases) {
    it.scopedLive(`reports damage, is refused by a restore, and is salvaged: ${name}`, () =>
      Effect.gen(function* () {
        const { data, file, fresh, root } = yield* place
        harm(data)
        const rows = untouched.map((name) => rowsOf(data, sessions[name]))
        const files = readdirSync(join(data, "assets"), { recursive: true }).length
        const made = yield* backUp(data, file)
        expect(made.damage.length + made.faults.length).toBeGreaterThan(0)
        expect(JSON.stringify(made.damage)).not.toContain(".backup.")
        const refusal = yield* Effect.flip(restore(fresh, file))
        expect(refusal).toMatchObject({ _tag: "RestoreFailed", reason: "damaged", path: file })
        expect(refusal.message).toContain("add --damaged")
        expect([existsSync(fresh), readdirSync(root).toSorted()]).toEqual([false, ["all.skein", "data"]])

        const restored = yield* salvage(fresh, file)
        expect(restored.remarks.filter(({ state }) => state === "damage")).toEqual([])
        expect(restored.remarks.filter(({ state }) => state === "repaired").length).toBeGreaterThan(0)
        expect(JSON.stringify(restored)).not.toContain(".restore.")
        const sum = (of: "messages" | "files") => restored.kept.reduce((sum, { lost }) => sum + lost[of], 0)
        expect({ messages: sum("messages"), files: sum("files") }).toEqual(lost)
        expect(damages(yield* look(fresh))).toEqual([])
        expect(untouched.map((name) => rowsOf(fresh, sessions[name]))).toEqual(rows)
        const left = name === "a file that was changed" ? files - 1 : files
        expect(readdirSync(join(fresh, "assets"), { recursive: true })).toHaveLength(left)
        expect(restored.sessions).toBe(all.length + (name.startsWith("a row of a session") ? 1 : 0))
        for (const kept of restored.kept) {
          const messages = `SELECT count(*) FROM messages JOIN session_rows ON ordinal = session WHERE id = '${kept.session}'`
          expect(kept.messages + kept.lost.messages).toBe(countOf(fresh, messages))
        }
        expect((yield* sendToAll(fresh)).length).toBeGreaterThanOrEqual(all.length)
      })
    )
  }

  for (const table of ["messages", "runs", "assets", "event_rows"]) {
    it.scopedLive(`has damaged pages as they are, and a salvage reads around them: ${table}`, () =>
      Effect.gen(function* () {
        const { data, file, fresh } = yield* place
        const messages = countOf(data, "SELECT count(*) FROM messages")
        spoil(databaseIn(data), pageOf(data, table))
        const { damage } = yield* backUp(data, file)
        expect(damage.map(({ kind }) => kind)).toEqual(["pages-damaged"])
        expect(yield* Effect.flip(restore(fresh, file))).toMatchObject({ reason: "damaged" })
        const restored = yield* salvage(fresh, file)
        expect(restored.sessions).toBe(ids.length)
        expect(damages(yield* look(fresh))).toEqual([])
        const { length: kept } = asides(fresh)
        expect(kept).toBeGreaterThan(0)
        // Including placeholders for results that no run is there to store.
        const all = countOf(fresh, "SELECT count(*) FROM messages")
        if (table !== "messages") expect(all).toBeGreaterThanOrEqual(messages)
        expect((yield* sendToAll(fresh)).length).toBe(ids.length)
      })
    )
  }
})

describe("damage to a sound backup", () => {
  const sound = Effect.gen(function* () {
    const root = yield* folder
    const data = join(root, "data")
    yield* populate(data)
    const file = join(root, "all.skein")
    yield* backUp(data, file)
    return { data, file, fresh: join(root, "fresh") }
  })

  /** Overwrites the first byte of a text in a file. */
  const flip = (file: string, text: string) => {
    const bytes = readFileSync(file)
    const at = bytes.indexOf(text)
    expect(at).toBeGreaterThan(0)
    bytes.writeUInt8(0x21, at)
    writeFileSync(file, bytes)
  }

  it.scopedLive("an asset whose bytes differ is refused, and moved aside by a salvage", () =>
    Effect.gen(function* () {
      const { file, fresh } = yield* sound
      flip(file, assetText)
      expect(yield* Effect.flip(restore(fresh, file))).toMatchObject({ reason: "damaged" })
      expect(existsSync(fresh)).toBe(false)
      const { kept } = yield* salvage(fresh, file)
      expect(kept).toEqual([{ session: "one", messages: 6, files: 0, lost: { messages: 0, files: 1, rows: 0 } }])
      const [aside = ""] = asides(fresh).filter((name) => !name.endsWith(".json"))
      expect(readFileSync(join(fresh, "aside", aside), "utf8")).toBe(`!${assetText.slice(1)}`)
      expect(damages(yield* look(fresh))).toEqual([])
    })
  )

  it.scopedLive("a database whose bytes differ is refused, and repaired by a salvage", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* sound
      flip(file, '{"role":"user","parts":[{"type":"text","text":"first question')
      expect(yield* Effect.flip(restore(fresh, file))).toMatchObject({ reason: "damaged" })
      const { kept } = yield* salvage(fresh, file)
      expect(kept).toEqual([{ session: "one", messages: 5, files: 1, lost: { messages: 1, files: 0, rows: 0 } }])
      expect(rowsOf(fresh, 2)).toEqual(rowsOf(data, 2))
      expect(readFileSync(assetFile(fresh), "utf8")).toBe(assetText)
    })
  )

  it.scopedLive(
    "a database with another text in a message is refused, and a salvage says that what is kept may differ",
    () =>
      Effect.gen(function* () {
        const { file, fresh } = yield* sound
        flip(file, 'first question"}]')
        expect(yield* Effect.flip(restore(fresh, file))).toMatchObject({ reason: "damaged" })
        const { isExact, kept } = yield* salvage(fresh, file)
        expect(kept).toEqual([])
        expect(isExact).toBe(false)
        expect(JSON.stringify(bodiesOf(fresh))).toContain("!irst question")
      })
  )

  it.scopedLive("a backup that is cut off is refused, and read by a salvage as far as it goes", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* sound
      truncateSync(file, statSync(file).size - 4096)
      expect(yield* Effect.flip(restore(fresh, file))).toMatchObject({ reason: "damaged" })
      expect((yield* salvage(fresh, file)).sessions).toBe(2)
      expect(bodiesOf(fresh)).toEqual(bodiesOf(data))
      expect(damages(yield* look(fresh))).toEqual([])
    })
  )

  it.scopedLive(
    "a backup of whose many files only the beginning is left has its database, and says that it may differ",
    () =>
      Effect.gen(function* () {
        const { data, file, fresh } = yield* sound
        const [copy, asset] = [`${file}.db`, `${file}.asset`]
        const database = new Sqlite(databaseIn(data))
        database.prepare("VACUUM INTO ?").run(copy)
        database.close()
        writeFileSync(asset, "a".repeat(100_000))
        rmSync(file)
        const writer = BackupWriter.create(file)
        const add = (name: string, path: string) => writer.add(name, path, () => Effect.void)
        yield* add("skein.db", copy)
        for (let count = 0; count < 60; count++) yield* add(`assets/one/${count}`, asset)
        writer.finish(1)
        truncateSync(file, statSync(copy).size + 1_000_000)
        expect(yield* Effect.flip(restore(fresh, file))).toMatchObject({ reason: "damaged" })
        const { isExact, sessions } = yield* salvage(fresh, file)
        expect({ isExact, sessions }).toEqual({ isExact: false, sessions: 2 })
        expect(bodiesOf(fresh)).toEqual(bodiesOf(data))
      })
  )

  it.scopedLive("a backup without a readable session is refused by a salvage too, and leaves nothing", () =>
    Effect.gen(function* () {
      const { file, fresh } = yield* sound
      const backup = new Sqlite(file)
      backup.exec("UPDATE parts SET bytes = zeroblob(length(bytes))")
      backup.close()
      expect(yield* Effect.flip(salvage(fresh, file))).toMatchObject({ reason: "beyond-salvage", path: file })
      expect(existsSync(fresh)).toBe(false)
    })
  )

  it.scopedLive("a salvage of a sound backup restores the same database, byte for byte", () =>
    Effect.gen(function* () {
      const { file, fresh } = yield* sound
      const exact = `${fresh}.exact`
      yield* restore(exact, file)
      expect(yield* salvage(fresh, file)).toMatchObject({ remarks: [], kept: [] })
      expect(readFileSync(databaseIn(fresh)).equals(readFileSync(databaseIn(exact)))).toBe(true)
      expect(existsSync(join(fresh, "aside"))).toBe(false)
    })
  )
})

describe("a backup of another version", () => {
  const golden = Effect.gen(function* () {
    const data = yield* Golden.copied(Golden.golden("0.1.0"))
    const root = join(data, "..")
    return { data, file: join(root, "all.skein"), fresh: join(root, "fresh") }
  })

  it.scopedLive("P13 an older version's backup is restored without a migration, and checked all the same", () =>
    Effect.gen(function* () {
      const { data, file, fresh } = yield* golden
      expect(yield* backUp(data, file)).toMatchObject({ damage: [], faults: [] })
      yield* restore(fresh, file)
      expect(countOf(fresh, "SELECT user_version FROM pragma_user_version")).toBe(2)
      expect(readdirSync(fresh).toSorted()).toEqual(["assets", "skein.db"])
      rmSync(file)

      tamper(data, "INSERT INTO grants VALUES (99, 'x')")
      const { damage } = yield* backUp(data, file)
      expect(damage.map(({ kind }) => kind)).toEqual(["session-rows-missing"])
      rmSync(fresh, { recursive: true })
      expect(yield* Effect.flip(restore(fresh, file))).toMatchObject({ reason: "damaged" })
      yield* salvage(fresh, file)
      expect(damages(yield* look(fresh))).toEqual([])
      expect((yield* sendToAll(fresh)).length).toBeGreaterThanOrEqual(all.length)
    })
  )

  it.scopedLive(
    "P13 a later version's backup, whole or damaged, is refused with its version by restore and salvage; nothing is left",
    () =>
      Effect.gen(function* () {
        const { data, file, fresh } = yield* place
        yield* backUp(data, file)
        // As if a later version had made it.
        tamper(data, "INSERT INTO migrations (migration_id, name) VALUES (999, 'later')", "PRAGMA user_version = 999")
        const later = new Sqlite(file)
        const bytes = readFileSync(databaseIn(data))
        const sha256 = yield* Effect.promise(async () => {
          const digest = await crypto.subtle.digest("SHA-256", bytes)
          return Buffer.from(digest).toString("hex")
        })
        later.exec("DELETE FROM parts WHERE file = 1")
        later.prepare("INSERT INTO parts VALUES (1, 0, ?)").run(bytes)
        later.prepare("UPDATE files SET sha256 = ?, size = ? WHERE ordinal = 1").run(sha256, bytes.length)
        later.close()
        for (const [harm, ways] of [
          ["SELECT 1", [restore, salvage]],
          ["UPDATE parts SET bytes = zeroblob(length(bytes)) WHERE file <> 1", [restore, salvage]],
          // A restore refuses it as damaged.
          ["UPDATE files SET sha256 = 'another' WHERE ordinal = 1", [salvage]]
        ] as const) {
          const harmed = new Sqlite(file)
          harmed.exec(harm)
          harmed.close()
          const before = readFileSync(file)
          for (const take of ways) {
            const refusal = yield* Effect.flip(take(fresh, file))
            expect(refusal).toMatchObject({ _tag: "RestoreFailed", reason: "newer-version", path: file })
            expect(refusal.message).toContain("newer version of Skein (999")
            expect(existsSync(fresh)).toBe(false)
          }
          expect(readFileSync(file).equals(before)).toBe(true)
        }
      })
  )
})
