/**
 * The pages of a database's file, each read by itself: without the trees and the schema, either of which may be
 * damaged. The file's header must pass `Header.check`, and its log must have been written back.
 *
 * Whatever cannot be read is left out: a cell that makes no sense, a page that is not a page. Nothing here is written.
 * The formats are those of https://www.sqlite.org/fileformat2.html.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import type { Parameter } from "../../../services/storage/sql/Database.js"
import * as Header from "./Header.js"
import * as Record from "./Record.js"

/**
 * A stored row as its page has it: a column that is the row's number is null. `rowid` is null where rows have no
 * number.
 */
export interface Cell {
  readonly rowid: bigint | null
  readonly values: ReadonlyArray<Parameter>
}

export type Page =
  | {
      readonly _tag: "Rows"
      readonly cells: ReadonlyArray<Cell>
      /** The number of further cells that make no sense. */
      readonly unreadable: number
    }
  /** Holds no rows: free, or a part of something else. */
  | { readonly _tag: "Other" }
  /** Belongs to a tree, but cannot be read. */
  | { readonly _tag: "Damaged" }

export interface Pages {
  readonly count: number
  readonly read: (page: number) => Page
  /** The page above a page in its tree: 0 for the first page, null when the page is in no tree or that is unknown. */
  readonly parentOf: (page: number) => number | null
  readonly close: () => void
}

/** The kinds of pages of trees, by their first byte. Inner pages of a table's tree hold no rows. */
const kinds = new Map([
  [2, { isTable: false, isLeaf: false }],
  [5, null],
  [10, { isTable: false, isLeaf: true }],
  [13, { isTable: true, isLeaf: true }]
])
/** What the map of pages says about each page after it. */
const entry = { bytes: 5, root: 1, tree: 5, greatest: 5 }
/** The page with this byte is never used. */
const lockByte = 0x40000000

export const open = (path: string): Pages => {
  const file = openSync(path, "r")
  /** Bytes beyond the end are read as zeros. */
  const bytesAt = (at: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length)
    readSync(file, bytes, 0, length, at)
    return bytes
  }
  const header = bytesAt(0, 100)
  const size = Header.pageSizeOf(header) ?? 512
  const count = Math.floor(fstatSync(file).size / size)

  const bytesOf = (page: number): Buffer => {
    if (page < 1 || page > count) throw new RangeError("no such page")
    return bytesAt((page - 1) * size, size)
  }

  const hasMap = header.readUInt32BE(52) !== 0
  const perMap = Math.floor(size / entry.bytes) + 1
  const lockPage = lockByte / size + 1
  let map: readonly [page: number, bytes: Buffer] = [0, header]
  const entryOf = (page: number): readonly [kind: number, parent: number] => {
    const first = 2 + Math.floor((page - 2) / perMap) * perMap
    const at = first === lockPage ? first + 1 : first
    if (page <= at || page > count) return [0, 0]
    if (map[0] !== at) map = [at, bytesOf(at)]
    const place = (page - at - 1) * entry.bytes
    const kind = map[1].readUInt8(place)
    return hasMap && kind <= entry.greatest ? [kind, map[1].readUInt32BE(place + 1)] : [0, 0]
  }

  const payload = (bytes: Buffer, at: number, length: number, isTable: boolean): Buffer => {
    if (length > count * size) throw new RangeError("a row is longer than the file")
    const least = Math.floor(((size - 12) * 32) / 255) - 23
    const most = isTable ? size - 35 : Math.floor(((size - 12) * 64) / 255) - 23
    const split = least + ((length - least) % (size - 4))
    const local = length <= most ? length : split <= most ? split : least
    const parts = [bytes.subarray(at, at + local)]
    let next = local < length ? bytes.readUInt32BE(at + local) : 0
    for (let left = length - local; left > 0; left -= size - 4) {
      const overflow = bytesOf(next)
      parts.push(overflow.subarray(4, 4 + Math.min(left, size - 4)))
      next = overflow.readUInt32BE(0)
    }
    return Buffer.concat(parts)
  }

  const cellAt = (bytes: Buffer, at: number, { isLeaf, isTable }: { isTable: boolean; isLeaf: boolean }): Cell => {
    const [length, afterLength] = Record.varint(bytes, isLeaf ? at : at + 4)
    const [rowid, begin] = isTable ? Record.varint(bytes, afterLength) : [null, afterLength]
    const values = Record.decode(payload(bytes, begin, Number(length), isTable))
    return { rowid: rowid === null ? null : BigInt.asIntN(64, rowid), values }
  }

  return {
    count,
    parentOf: (page) => {
      if (page === 1) return 0
      const [kind, parent] = entryOf(page)
      if (kind === entry.root) return 0
      return kind === entry.tree ? parent : null
    },
    read: (page) => {
      const [known] = page === 1 ? [entry.root] : entryOf(page)
      const isInTree = known === entry.root || known === entry.tree
      if (known !== 0 && !isInTree) return { _tag: "Other" }
      const bytes = bytesOf(page)
      const start = page === 1 ? 100 : 0
      const kind = kinds.get(bytes.readUInt8(start))
      if (kind === undefined) return { _tag: isInTree ? "Damaged" : "Other" }
      if (kind === null) return { _tag: "Other" }
      const places = start + (kind.isLeaf ? 8 : 12)
      const cells: Array<Cell> = []
      const cellCount = Math.min(bytes.readUInt16BE(start + 3), Math.floor((size - places) / 2))
      for (let index = 0; index < cellCount; index++) {
        try {
          cells.push(cellAt(bytes, bytes.readUInt16BE(places + 2 * index), kind))
        } catch (thrown) {
          if (!(thrown instanceof RangeError || thrown instanceof TypeError)) throw thrown
        }
      }
      return { _tag: "Rows", cells, unreadable: cellCount - cells.length }
    },
    close: () => closeSync(file)
  }
}
