/**
 * All rows that can be read from the file of a damaged database, one page at a time. The tree that a page is in shows
 * which table its rows are from; where the schema cannot be read, the shape of the rows does. So a lost page takes only
 * its own rows with it.
 *
 * The file is only read, and without any SQLite. Its header must pass `Header.check`, and its log must have been
 * written back.
 */
import type { Parameter } from "../../../services/storage/sql/Database.js"
import * as Pages from "./Pages.js"

/** What the rows of a table look like. */
export interface Shape {
  readonly name: string
  readonly columns: ReadonlyArray<{
    readonly name: string
    /** `INTEGER` or `TEXT`. */
    readonly type: string
    /** Whether the column is the number that a row is stored under. */
    readonly isRowid: boolean
  }>
  readonly hasRowid: boolean
  /** The least number of values in a row: a row that is older than its table's last columns ends before them. */
  readonly leastValues: number
}

export interface PageRows {
  /** A table or an index; an empty text when it is unknown. */
  readonly name: string
  /** The values of each row, in the order of its columns. */
  readonly rows: ReadonlyArray<ReadonlyArray<Parameter>>
  /** The number of further rows that make no sense. A page of which nothing can be read counts as one. */
  readonly unread: number
}

const fits = (type: string, value: Parameter): boolean =>
  value === null || (type === "INTEGER" ? typeof value === "bigint" : typeof value === "string")

/** Returns the table that rows are from, by their shape; an empty text when it is unknown. */
const lookAlike = (shapes: ReadonlyArray<Shape>, cells: ReadonlyArray<Pages.Cell>): string =>
  shapes.find(
    ({ columns, hasRowid, leastValues }) =>
      cells.length > 0 &&
      cells.every(
        ({ rowid, values }) =>
          (rowid !== null) === hasRowid &&
          values.length <= columns.length &&
          values.length >= leastValues &&
          values.every((value, index) => fits(columns[index]?.type ?? "", value))
      )
  )?.name ?? ""

/** Returns the first page of the tree that a page is in; null when it is unknown. */
const rootOf = (pages: Pages.Pages, page: number): number | null => {
  let at = page
  for (let level = 0; level < 20; level++) {
    const parent = pages.parentOf(at)
    if (parent === 0) return at
    if (parent === null) return null
    at = parent
  }
  return null
}

/** Reads all pages once to learn what they say about each other. */
const map = (pages: Pages.Pages, shapes: ReadonlyArray<Shape>) => {
  const names = new Map<number, string>()
  const alike = new Map<number, string>()
  const inner = new Set<number | null>()
  for (let page = 1; page <= pages.count; page++) {
    inner.add(pages.parentOf(page))
    const read = pages.read(page)
    const root = rootOf(pages, page)
    if (read._tag !== "Rows" || root === null) continue
    if (root === 1) {
      for (const { values } of read.cells) names.set(Number(values[3]), String(values[1]))
    } else if (!alike.has(root)) alike.set(root, lookAlike(shapes, read.cells))
  }
  return {
    /** Whether other pages are below a page in its tree. */
    isInner: (page: number): boolean => inner.has(page),
    nameOf: (page: number, read: Pages.Page): string => {
      const root = rootOf(pages, page)
      if (root !== null) return names.get(root) ?? alike.get(root) ?? ""
      return read._tag === "Rows" ? lookAlike(shapes, read.cells) : ""
    }
  }
}

const valuesOf = ({ rowid, values }: Pages.Cell, shape: Shape | undefined): ReadonlyArray<Parameter> =>
  values.map((value, index) => (value === null && shape?.columns[index]?.isRowid === true ? rowid : value))

/**
 * Reads the file at `path`, which is closed when the iteration ends. `shapes` are the shapes of the tables that may be
 * in it.
 */
export const read = function* (path: string, shapes: ReadonlyArray<Shape>): Generator<PageRows> {
  const pages = Pages.open(path)
  try {
    const { isInner, nameOf } = map(pages, shapes)
    for (let page = 1; page <= pages.count; page++) {
      const read = pages.read(page)
      const name = nameOf(page, read)
      const shape = shapes.find((shape) => shape.name === name)
      if (read._tag === "Rows") {
        yield { name, rows: read.cells.map((cell) => valuesOf(cell, shape)), unread: read.unreadable }
      } else if (read._tag === "Damaged" && shape !== undefined && !(shape.hasRowid && isInner(page))) {
        yield { name, rows: [], unread: 1 }
      }
    }
  } finally {
    pages.close()
  }
}
