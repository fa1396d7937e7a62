/** The first bytes of a database's file: what they may be, whoever wrote it. */
import { closeSync, openSync, readSync } from "node:fs"

const magic = "SQLite format 3\0"

const length = 100

/** Where values are that have few possible ones. A database without a table has neither a format nor an encoding. */
const possible: ReadonlyArray<readonly [name: string, at: number, values: ReadonlyArray<number>]> = [
  ["write version", 18, [1, 2]],
  ["read version", 19, [1, 2]],
  ["greatest payload", 21, [64]],
  ["least payload", 22, [32]],
  ["leaf payload", 23, [32]],
  ["schema format", 47, [0, 1, 2, 3, 4]],
  ["text encoding", 59, [0, 1, 2, 3]]
]

/** The size of a page; null when the header has none. */
export const pageSizeOf = (header: Buffer): number | null => {
  const stored = header.readUInt16BE(16)
  const size = stored === 1 ? 65536 : stored
  return size >= 512 && (size & (size - 1)) === 0 ? size : null
}

export const hasMagic = (header: Buffer): boolean => header.toString("latin1", 0, magic.length) === magic

/** What the header of no database is; null when it may be one's. */
const problemOf = (header: Buffer): string | null => {
  if (!hasMagic(header)) return "magic"
  if (pageSizeOf(header) === null) return "page size"
  return possible.find(([, at, values]) => !values.includes(header.readUInt8(at)))?.[0] ?? null
}

/** Looks at the header of a file. */
export const check = (path: string): string | null => {
  const header = Buffer.alloc(length)
  const file = openSync(path, "r")
  try {
    readSync(file, header, 0, length, 0)
  } finally {
    closeSync(file)
  }
  return problemOf(header)
}
