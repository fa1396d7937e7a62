/** What a rebuilt database has kept: sessions, messages and assets, not just that no damage is left. */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Layer, Logger } from "effect"
import { readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { engineIn, folder } from "../../services/storage/disk.js"
import * as Golden from "../../../support/golden/Golden.js"
import { ids, killed } from "./killed.js"
import { damages, databaseIn, look, repair, tamper } from "./populated.js"

const pageSize = 4096

const isPlaceholder = (text: string): boolean => text.includes("was damaged and can no longer be read")

interface Kept {
  readonly messages: number
  readonly placeholders: number
}

/** What is left of each session. */
const keptIn = (data: string): ReadonlyMap<string, Kept> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const rows = connection
    .prepare<[], { readonly id: string; readonly body: string | null }>(
      "SELECT id, body FROM session_rows LEFT JOIN messages ON messages.session = session_rows.ordinal"
    )
    .all()
  connection.close()
  const kept = new Map<string, Kept>()
  for (const { body, id } of rows) {
    const { messages, placeholders } = kept.get(id) ?? { messages: 0, placeholders: 0 }
    const isLost = body === null || isPlaceholder(body)
    kept.set(id, { messages: messages + (isLost ? 0 : 1), placeholders: placeholders + (isLost ? 1 : 0) })
  }
  return kept
}

const total = (kept: ReadonlyMap<string, Kept>): number =>
  [...kept.values()].reduce((sum, { messages }) => sum + messages, 0)

/** The pages of some tables and indexes. */
const pagesOf = (data: string, ...names: ReadonlyArray<string>): ReadonlyArray<number> => {
  const connection = new Sqlite(databaseIn(data), { readonly: true })
  const select = connection.prepare<[string], number>("SELECT pageno FROM dbstat WHERE name = ?").pluck()
  const pages = names.flatMap((name) => select.all(name))
  connection.close()
  return pages
}

const zero = (path: string, page: number) => {
  const bytes = readFileSync(path)
  bytes.fill(0, (page - 1) * pageSize, page * pageSize)
  writeFileSync(path, bytes)
}

const setByte = (path: string, at: number, byte: number) => {
  const bytes = readFileSync(path)
  bytes.writeUInt8(byte, at)
  writeFileSync(path, bytes)
}

describe("the folder of a killed process", () => {
  it.scopedLive("has no damage, and no repair touches it", () =>
    Effect.gen(function* () {
      const data = yield* killed
      const before = readFileSync(databaseIn(data))
      expect(damages(yield* look(data))).toEqual([])
      expect(damages(yield* repair(data))).toEqual([])
      expect(readFileSync(databaseIn(data)).equals(before)).toBe(true)
    })
  )
})

describe("a rebuilt database", () => {
  for (const name of ["sqlite_schema", "session_rows", "sqlite_autoindex_session_rows_1", "messages", "meta", "runs"]) {
    it.scopedLive(`has every session, and each message or a placeholder, when a page of ${name} was lost`, () =>
      Effect.gen(function* () {
        const base = yield* killed
        const before = keptIn(base)
        const mapOfPages = 2
        // Some pages are alike: three per table are enough.
        const pages = pagesOf(base, name).filter((_, index, all) => index % Math.ceil(all.length / 3) === 0)
        for (const page of name === "meta" ? [mapOfPages, ...pages] : pages) {
          const data = Golden.copy(base, join(yield* folder, "data"))
          zero(databaseIn(data), page)
          expect(damages(yield* repair(data))).toEqual([])
          const after = keptIn(data)
          for (const [id, { messages, placeholders }] of before) {
            const kept = after.get(id)
            const all = (kept?.messages ?? 0) + (kept?.placeholders ?? 0)
            expect([page, id, all >= messages + placeholders]).toEqual([page, id, true])
          }
          const lost = total(before) - total(after)
          // A page of messages holds no more than these; pages of other tables hold none.
          expect([page, lost]).toSatisfy(() => lost <= (name === "messages" ? 25 : 0))
        }
      })
    )
  }

  it.scopedLive("has rows from before the last columns of their table, when the schema was lost", () =>
    Effect.gen(function* () {
      const base = yield* Golden.copied(Golden.golden("0.1.0-schema-4"))
      const migrated = Layer.provide(engineIn(base), Logger.remove(Logger.defaultLogger))
      yield* Effect.void.pipe(Effect.provide(migrated))
      const before = keptIn(base)
      for (const page of pagesOf(base, "sqlite_schema")) {
        const data = Golden.copy(base, join(yield* folder, "data"))
        zero(databaseIn(data), page)
        expect(damages(yield* repair(data))).toEqual([])
        expect([page, total(keptIn(data))]).toEqual([page, total(before)])
      }
    })
  )

  it.scopedLive("has commits that only the log had", () =>
    Effect.gen(function* () {
      const base = yield* killed
      const connection = new Sqlite(databaseIn(base))
      connection.exec("UPDATE session_rows SET title = 'in the log' WHERE id = 'full'; BEGIN")
      connection.exec("UPDATE session_rows SET title = 'not committed' WHERE id = 'held'")
      connection.pragma("cache_spill = 1")
      const data = Golden.copy(base, join(yield* folder, "data"))
      connection.close()
      const [page = 0] = pagesOf(base, "messages").toReversed()
      zero(databaseIn(data), page)
      expect(damages(yield* look(data))).toEqual([`${databaseIn(data)}: pages-damaged`])
      expect(damages(yield* repair(data))).toEqual([])
      const rebuilt = new Sqlite(databaseIn(data), { readonly: true })
      expect(rebuilt.prepare("SELECT title FROM session_rows WHERE id IN ('full', 'held')").pluck().all()).toEqual([
        "in the log",
        "slow work"
      ])
      rebuilt.close()
    })
  )

  for (const lost of [1, 2, 5]) {
    it.scopedLive(`keeps what is left of a database that was cut by ${lost} pages`, () =>
      Effect.gen(function* () {
        const data = yield* killed
        const before = keptIn(data)
        truncateSync(databaseIn(data), readFileSync(databaseIn(data)).length - lost * pageSize)
        expect(damages(yield* look(data))).toEqual([`${databaseIn(data)}: pages-damaged`])
        expect(damages(yield* repair(data))).toEqual([])
        const kept = keptIn(data)
        expect([...kept.keys()].toSorted()).toEqual(ids.toSorted())
        expect(total(kept)).toBeGreaterThanOrEqual(total(before) - 25 * lost)
      })
    )
  }

  for (const [name, at, byte] of [
    ["the magic", 0, 0x54],
    ["the page size", 16, 0x20],
    ["an invalid page size", 16, 0x03],
    ["the version of its writer", 18, 9],
    ["the reserved bytes", 20, 0x40],
    ["the payload fraction", 21, 1],
    ["the schema format", 47, 9],
    ["the text encoding", 59, 9],
    ["another text encoding", 59, 2]
  ] as const) {
    it.scopedLive(`loses nothing to one wrong byte in the header: ${name}`, () =>
      Effect.gen(function* () {
        const data = yield* killed
        const before = keptIn(data)
        setByte(databaseIn(data), at, byte)
        expect(damages(yield* look(data))).toEqual([`${databaseIn(data)}: pages-damaged`])
        expect(damages(yield* repair(data))).toEqual([])
        expect(keptIn(data)).toEqual(before)
      })
    )
  }

  for (const [name, at] of [
    ["the application id", 68],
    ["a version that is too great", 60],
    ["a version that is too small", 63]
  ] as const) {
    it.scopedLive(`loses nothing to a wrong mark in the header: ${name}`, () =>
      Effect.gen(function* () {
        const data = yield* killed
        const before = keptIn(data)
        setByte(databaseIn(data), at, at === 63 ? 2 : 9)
        expect(damages(yield* look(data))).toEqual([`${databaseIn(data)}: marks-damaged`])
        expect(damages(yield* repair(data))).toEqual([])
        expect(damages(yield* look(data))).toEqual([])
        expect(keptIn(data)).toEqual(before)
      })
    )
  }

  it.scopedLive("is not made when no session can be read: the old one is left as it is", () =>
    Effect.gen(function* () {
      const data = yield* killed
      const path = databaseIn(data)
      const bytes = readFileSync(path)
      bytes.fill(0xa5, pageSize * 2)
      writeFileSync(path, bytes)
      expect(damages(yield* look(data))).not.toEqual([])
      const outcome = yield* Effect.either(repair(data))
      expect(outcome).toMatchObject({ _tag: "Left", left: { code: "NO_SESSION_READ" } })
      expect(readFileSync(path).equals(bytes)).toBe(true)
    })
  )

  it.scopedLive("replaces a database whose schema was changed", () =>
    Effect.gen(function* () {
      const harms = [
        "DROP TABLE drafts",
        "DROP VIEW events",
        "DROP INDEX runs_running",
        "CREATE TRIGGER t AFTER INSERT ON messages BEGIN SELECT RAISE(ABORT, 'no'); END"
      ]
      const base = yield* killed
      for (const harm of harms) {
        const data = Golden.copy(base, join(yield* folder, "data"))
        const before = keptIn(base)
        tamper(data, harm)
        expect(damages(yield* look(data))).toEqual([`${databaseIn(data)}: schema-changed`])
        expect(damages(yield* repair(data))).toEqual([])
        expect(damages(yield* look(data))).toEqual([])
        expect(keptIn(data)).toEqual(before)
        const connection = new Sqlite(databaseIn(data), { readonly: true })
        expect(connection.prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'").pluck().get()).toBe(0)
        connection.close()
      }
    })
  )
})
