/** The connections of a doctor for checks and repairs, their statements and transactions. */
import type Sqlite from "better-sqlite3"
import { Effect, Predicate, Schema, type Scope } from "effect"
import { dirname } from "node:path"
import { StorageFailed, type StorageUnusable } from "../../../domain/SkeinError.js"
import type { Parameter, Reader } from "../../../services/storage/sql/Database.js"
import { type Aside, type Database, transactions } from "../../../services/storage/sql/doctor/Database.js"
import * as CursorFloor from "../../../services/storage/sql/CursorFloor.js"
import * as SessionOrdinal from "../../../services/storage/sql/SessionOrdinal.js"
import { table } from "../../../services/storage/sql/Table.js"
import * as Query from "../../../services/storage/sql/Query.js"
import { codeOf } from "../../ErrorCode.js"
import type * as Files from "../Aside.js"
import * as Driver from "../Driver.js"
import * as SqliteWriter from "../SqliteWriter.js"
import * as Unusable from "../Unusable.js"

type ScopedConnection = Effect.Effect<Sqlite.Database, StorageUnusable | StorageFailed, Scope.Scope>

const acquire = (path: string, open: () => Sqlite.Database): ScopedConnection =>
  Effect.acquireRelease(Effect.try({ try: open, catch: Unusable.fromUnknown(path) }), (connection) =>
    Effect.sync(() => connection.close())
  )

/** A connection that only reads. It is closed with the scope. */
export const forLooking = (path: string): ScopedConnection =>
  acquire(path, () => Driver.open(path, { readonly: true, fileMustExist: true, timeout: 5_000 }))

/**
 * An exclusive connection. Fails as locked while any other connection is open, because each of them holds a lock on the
 * file until it is closed.
 */
export const forRepair = (path: string): ScopedConnection =>
  acquire(path, () => {
    const connection = Driver.open(path, { fileMustExist: true, timeout: 0 })
    try {
      connection.pragma("locking_mode = EXCLUSIVE")
      connection.pragma("synchronous = FULL")
      // The rows of a session may be stored before the session's own row.
      connection.pragma("foreign_keys = OFF")
      connection.exec("BEGIN EXCLUSIVE; COMMIT")
      return connection
    } catch (thrown) {
      connection.close()
      throw thrown
    }
  })

type Statements = Map<string, Sqlite.Statement<Array<Parameter>, never>>

const cache = new WeakMap<Sqlite.Database, Statements>()

/** The statement with this text, prepared once per connection. `Row` names the selected columns. */
export const prepared = <Row>(connection: Sqlite.Database, text: string): Sqlite.Statement<Array<Parameter>, Row> => {
  const statements = cache.get(connection) ?? new Map<string, Sqlite.Statement<Array<Parameter>, never>>()
  cache.set(connection, statements)
  const statement = statements.get(text) ?? connection.prepare<Array<Parameter>, never>(text)
  statements.set(text, statement)
  return statement
}

/** Runs a function that may throw an error of SQLite. `operation` is a verb for messages. */
export const attempt = <A>(operation: string, run: () => A): Effect.Effect<A, StorageFailed> =>
  Effect.try({ try: run, catch: (thrown) => new StorageFailed({ operation, code: codeOf(thrown) }) })

/** Whether a number may differ from the stored integer. */
const isInexact = (value: unknown): boolean => typeof value === "number" && !Number.isSafeInteger(value)

/** A bigint as a number, if it is in the safe range. */
export const exact = <V>(value: V): V | number =>
  typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value

/** Reads as an engine does, except that integers beyond the safe range of a number are bigints. */
const reader = (connection: Sqlite.Database): Reader => {
  const plain = SqliteWriter.make(connection)
  return {
    values: plain.values,
    all: <Row>(text: string, ...parameters: ReadonlyArray<Parameter>) => {
      const rows = plain.all<Row>(text, ...parameters)
      if (!rows.some((row) => Object.values(row ?? {}).some(isInexact))) return rows
      const stored = prepared<Row>(connection, `${text} -- exact`)
        .safeIntegers()
        .all(...parameters)
      for (const row of stored) {
        if (!Predicate.isRecord(row)) continue
        for (const [name, value] of Object.entries(row)) Object.assign(row, { [name]: exact(value) })
      }
      return stored
    }
  }
}

/** A plausible last ordinal. */
const LastOrdinal = Schema.Int.pipe(Schema.between(0, CursorFloor.highest))

/** SQLite's own table with the last ordinal that it issued for each table. */
const sequences = table({
  name: "sqlite_sequence",
  key: ["name"],
  session: null,
  hasRowid: true,
  isTransient: false,
  damage: { row: "last ordinal of", remedy: "take that of the newest session" },
  columns: { name: { schema: Schema.String }, seq: { schema: LastOrdinal, least: { sql: SessionOrdinal.newest } } }
})

/** An open database, and the data folder that contains it. */
export interface OpenDatabase extends Omit<Database, "files"> {
  readonly data: string
}

/** Opens a database for a check or for a repair. It is closed with the scope. */
export const open = (path: string, isRepair: boolean) =>
  Effect.map((isRepair ? forRepair : forLooking)(path), (connection): OpenDatabase => {
    const run: Database["run"] = (text, ...parameters) =>
      attempt("look at the database", () => prepared(connection, text).run(...parameters))
    const within = transactions(run)
    const [data, query] = [dirname(path), Query.make(reader(connection), 0)]
    const repair = () => within("BEGIN IMMEDIATE")
    return { path, data, query, run, snapshot: within("BEGIN"), repair, ownTables: [sequences] }
  })

/** The place for replaced rows and for files of lost assets. */
export const asidePlace = ({ keep, move }: Files.Aside): Aside => ({
  keep: (name, value) => attempt("keep rows aside", () => keep(name, value)),
  move: (path) => attempt("keep rows aside", () => move(path))
})
