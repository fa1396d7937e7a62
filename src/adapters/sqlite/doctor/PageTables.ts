/**
 * Which table the pages of a damaged database belong to: as the schema says or, where it cannot be read, by what their
 * rows look like.
 */
import type Sqlite from "better-sqlite3"
import type { Parameter } from "../../../services/storage/sql/Database.js"
import type * as Pages from "./Pages.js"

interface Column {
  readonly name: string
  readonly type: string
  readonly pk: number
  readonly isRequired: number
  /** The text of its default. */
  readonly fallback: string | null
}

export interface Target {
  readonly name: string
  readonly columns: ReadonlyArray<Column>
  readonly hasRowid: boolean
  /** How many values a row has at least: one that is older than its table's last columns ends before them. */
  readonly leastValues: number
}

/** The tables of a database, with their columns as they are stored. */
export const targetsOf = (connection: Sqlite.Database): ReadonlyArray<Target> =>
  connection
    .prepare<[], { readonly name: string; readonly wr: number }>(
      "SELECT name, wr FROM pragma_table_list() WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    .all()
    .map(({ name, wr }) => {
      const columns = connection
        .prepare<[string], Column>(
          'SELECT name, type, pk, "notnull" AS isRequired, dflt_value AS fallback FROM pragma_table_xinfo(?) WHERE hidden = 0'
        )
        .all(name)
      return { name, hasRowid: wr === 0, columns, leastValues: leastOf(columns) }
    })

const fits = ({ type }: Column, value: Parameter): boolean =>
  value === null || (type === "INTEGER" ? typeof value === "bigint" : typeof value === "string")

const leastOf = (columns: ReadonlyArray<Column>): number =>
  columns.findLastIndex(({ fallback, isRequired }) => isRequired === 1 && fallback === null) + 1

/** Which table rows are of, by their looks. */
const lookAlike = (targets: ReadonlyArray<Target>, cells: ReadonlyArray<Pages.Cell>): string | undefined =>
  targets.find(
    ({ columns, hasRowid, leastValues }) =>
      cells.length > 0 &&
      cells.every(
        ({ rowid, values }) =>
          (rowid !== null) === hasRowid &&
          values.length <= columns.length &&
          values.length >= leastValues &&
          columns.slice(0, values.length).every((column, index) => fits(column, values[index] ?? null))
      )
  )?.name

/** The page that a tree begins with. */
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

export interface PageMap {
  /** The table or index of a page; an empty text when that cannot be told. */
  readonly nameOf: (page: number, read: Pages.Page) => string
  /** Whether other pages are below it in its tree. */
  readonly isInner: (page: number) => boolean
}

/** Reads all pages once for what they tell of each other. */
export const map = (pages: Pages.Pages, targets: ReadonlyArray<Target>): PageMap => {
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
    } else if (!alike.has(root)) alike.set(root, lookAlike(targets, read.cells) ?? "")
  }
  return {
    isInner: (page) => inner.has(page),
    nameOf: (page, read) => {
      const root = rootOf(pages, page)
      if (root !== null) return names.get(root) ?? alike.get(root) ?? ""
      return (read._tag === "Rows" ? lookAlike(targets, read.cells) : undefined) ?? ""
    }
  }
}
