/**
 * The one way to SQLite. Every connection of Skein comes from here, so that all of them use one copy of the driver, of a
 * version that can be trusted.
 *
 * POSIX locks belong to the process: a second copy of SQLite that closes a file drops the locks that the first one holds
 * on it, and other processes then change what a reader is reading. A file that is open through another copy in this
 * process, such as that of a second installed Skein, is refused. Copies in other threads are not seen.
 */
import Sqlite from "better-sqlite3"
import { statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { StorageUnusable } from "../../domain/SkeinError.js"

/** Below this, two connections that write or checkpoint at the same time could damage a database in WAL mode. */
const oldestVersion = [3, 51, 3] as const

/** The folder of the driver that is used here. */
const copy = dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json"))

interface User {
  readonly copy: string
  readonly version: string
  readonly isOpen: () => boolean
}

type Registry = Map<string, ReadonlyArray<User>>

const isRegistry = (value: unknown): value is Registry => value instanceof Map

/** Which copy has which file open. Shared by all copies of this module in the thread. */
const registry = (): Registry => {
  const key = Symbol.for("skein/sqlite")
  const found: unknown = Reflect.get(globalThis, key)
  if (isRegistry(found)) return found
  const made: Registry = new Map()
  Reflect.set(globalThis, key, made)
  return made
}

const fileAt = (path: string): string | null => {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev}:${found.ino}`
}

/** Returns the users that have a file open. Forgets users that have closed theirs. */
const usersOf = (wanted: string | null): ReadonlyArray<User> => {
  const users = registry()
  for (const [file, all] of users) {
    const open = all.filter(({ isOpen }) => isOpen())
    if (open.length === 0) users.delete(file)
    else users.set(file, open)
  }
  return wanted === null ? [] : (users.get(wanted) ?? [])
}

const isTooOld = (version: string): boolean => {
  const numbers = version.split(".").map(Number)
  const difference = oldestVersion.map((oldest, index) => (numbers[index] ?? 0) - oldest).find((diff) => diff !== 0)
  return difference !== undefined && difference < 0
}

let loaded: string | null = null

/** The version of SQLite in this copy. */
const version = (): string => {
  if (loaded !== null) return loaded
  const connection = inMemory()
  try {
    return (loaded = connection.prepare<[], string>("SELECT sqlite_version()").pluck().get() ?? "")
  } finally {
    connection.close()
  }
}

const named = (user: Pick<User, "copy" | "version">): string => `SQLite ${user.version} of ${user.copy}`

/** This copy. Throws `StorageUnusable` for the path when SQLite is too old to be trusted. */
const ownFor = (path: string): Pick<User, "copy" | "version"> => {
  const own = { copy, version: version() }
  if (isTooOld(own.version)) throw new StorageUnusable({ path, reason: "old-sqlite", detail: named(own) })
  return own
}

/** Throws what `open` would throw, whatever is at the path: for those who create the file first. */
export const check = (path: string): void => void ownFor(path)

/**
 * Opens a connection. Throws `StorageUnusable` when SQLite is too old to be trusted, or another copy of it has the file
 * open in this process; else SQLite's own error.
 */
export const open = (path: string, options: Sqlite.Options): Sqlite.Database => {
  const own = ownFor(path)
  const other = usersOf(fileAt(path)).find((user) => user.copy !== copy)
  if (other !== undefined) {
    throw new StorageUnusable({ path, reason: "two-copies", detail: `${named(other)}; this is ${named(own)}` })
  }
  const connection = new Sqlite(path, options)
  const file = fileAt(path)
  if (file !== null) {
    const held = new WeakRef(connection)
    registry().set(file, [...usersOf(file), { ...own, isOpen: () => held.deref()?.open === true }])
  }
  return connection
}

/** A database that is in memory only. */
export const inMemory = (): Sqlite.Database => new Sqlite(":memory:")

/** Whether this is SQLite's own error. */
export const isError = (thrown: unknown): thrown is InstanceType<typeof Sqlite.SqliteError> =>
  thrown instanceof Sqlite.SqliteError
