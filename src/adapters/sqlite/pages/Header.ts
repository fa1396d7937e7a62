/**
 * The signs that a file is a database: its first bytes, which are known for any database and more exactly for Skein's,
 * and a text that is somewhere in it.
 */
import { closeSync, existsSync, openSync, readSync, writeSync } from "node:fs"

const magic = Buffer.from("SQLite format 3\0", "latin1")

const length = 100

/** Bytes of a page in each of Skein's databases. */
const usualSize = 4096

interface Field {
  readonly name: string
  readonly at: number
  /** A database without a table has neither a format nor an encoding. */
  readonly possible: ReadonlyArray<number>
  readonly usual: number
}

const fields: ReadonlyArray<Field> = [
  { name: "write version", at: 18, possible: [1, 2], usual: 2 },
  { name: "read version", at: 19, possible: [1, 2], usual: 2 },
  { name: "greatest payload", at: 21, possible: [64], usual: 64 },
  { name: "least payload", at: 22, possible: [32], usual: 32 },
  { name: "leaf payload", at: 23, possible: [32], usual: 32 },
  { name: "schema format", at: 47, possible: [0, 1, 2, 3, 4], usual: 4 },
  { name: "text encoding", at: 59, possible: [0, 1, 2, 3], usual: 1 }
]

const reserved = 20

/** Returns the size of a page; null when the header has no valid one. */
export const pageSizeOf = (header: Buffer): number | null => {
  const stored = header.readUInt16BE(16)
  const size = stored === 1 ? 65536 : stored
  return size >= 512 && (size & (size - 1)) === 0 ? size : null
}

/** Returns the name of the first impossible field in a header; null when the header may be a database's. */
const problemOf = (header: Buffer): string | null => {
  if (!header.subarray(0, magic.length).equals(magic)) return "magic"
  if (pageSizeOf(header) === null) return "page size"
  return fields.find(({ at, possible }) => !possible.includes(header.readUInt8(at)))?.name ?? null
}

const withFile = <A>(path: string, flags: "r" | "r+", use: (file: number) => A): A => {
  const file = openSync(path, flags)
  try {
    return use(file)
  } finally {
    closeSync(file)
  }
}

const read = (file: number, at: number, length: number): Buffer => {
  const bytes = Buffer.alloc(length)
  readSync(file, bytes, 0, length, at)
  return bytes
}

/** Checks the header of a file. Returns the name of the first impossible field; null when it may be a database's. */
export const check = (path: string): string | null => withFile(path, "r", (file) => problemOf(read(file, 0, length)))

const pieceSize = 1024 * 1024

/** Whether a text is anywhere in a file, which may be missing. */
export const contains = (path: string, text: string): boolean =>
  existsSync(path) &&
  withFile(path, "r", (file) => {
    const piece = Buffer.alloc(pieceSize)
    for (let at = 0, length = 1; length > 0; at += pieceSize - text.length) {
      length = readSync(file, piece, 0, pieceSize, at)
      if (piece.subarray(0, length).includes(text)) return true
    }
    return false
  })

/**
 * The first bytes of the second page in each of Skein's databases: the map of pages says that the third page begins a
 * table.
 */
const mapBegin = Buffer.from([1, 0, 0, 0, 0])

/** Writes what each of Skein's databases has into the header of a file, with the page size that fits its pages. */
export const mend = (path: string): void =>
  withFile(path, "r+", (file) => {
    const header = read(file, 0, length)
    const stored = pageSizeOf(header)
    const fitting = [stored ?? usualSize, usualSize].find((size) => read(file, size, mapBegin.length).equals(mapBegin))
    const size = fitting ?? stored ?? usualSize
    magic.copy(header)
    header.writeUInt16BE(size === 65536 ? 1 : size, 16)
    header.writeUInt8(0, reserved)
    for (const { at, usual } of fields) header.writeUInt8(usual, at)
    if (fitting !== undefined && header.readUInt32BE(52) === 0) header.writeUInt32BE(1, 52)
    writeSync(file, header, 0, length, 0)
  })
