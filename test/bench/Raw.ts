/**
 * The counterpart that ours is compared with: hand-written better-sqlite3 at the same durability, one commit per
 * message.
 */
import Sqlite from "better-sqlite3"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Raw {
  /** Appends in one commit. */
  readonly append: (body: string) => void
  /** Reads rows and parses them. */
  readonly read: (count: number) => ReadonlyArray<unknown>
  readonly close: () => void
}

export const folder = (): string => mkdtempSync(join(tmpdir(), "skein-bench-"))
export const remove = (path: string): void => rmSync(path, { recursive: true, force: true })

export const open = (): Raw => {
  const path = folder()
  const database = new Sqlite(join(path, "raw.db"))
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec("CREATE TABLE messages (session INTEGER, seq INTEGER, body TEXT, UNIQUE (session, seq))")
  const insert = database.prepare<[number, string]>("INSERT INTO messages (session, seq, body) VALUES (1, ?, ?)")
  const select = database.prepare<[number], { readonly seq: number; readonly body: string }>(
    "SELECT seq, body FROM messages WHERE session = 1 AND seq <= ? ORDER BY seq"
  )
  let seq = 0
  return {
    append: (body) => void insert.run(++seq, body),
    read: (count) =>
      select.all(count).map((row): unknown => {
        const message: unknown = JSON.parse(row.body)
        return { seq: row.seq, message }
      }),
    close: () => {
      database.close()
      remove(path)
    }
  }
}
