/** What becomes of the rows: a file, a comparison with an earlier file, a table in the page next to this file. */
import { readFileSync, writeFileSync } from "node:fs"
import { Schema } from "effect"
import type { Row } from "./Row.js"

const Result = Schema.parseJson(
  Schema.Struct({
    node: Schema.String,
    rows: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        value: Schema.String,
        aim: Schema.String,
        numbers: Schema.Record({ key: Schema.String, value: Schema.NullOr(Schema.Number) })
      })
    )
  })
)

export const line = ({ aim, name, value }: Row): string =>
  `${name.padEnd(60)} ${value}${aim === "" ? "" : `   (aim: ${aim})`}`

export const write = (file: string, rows: ReadonlyArray<Row>): void =>
  writeFileSync(file, `${JSON.stringify({ node: process.version, rows }, null, 2)}\n`)

/** For each number that a row has in both: its value now, its value before, and the quotient. */
export const compare = (file: string, rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const earlier = Schema.decodeSync(Result)(readFileSync(file, "utf8"))
  return rows.flatMap(({ name, numbers }) => {
    const before = earlier.rows.find((row) => row.name === name)
    if (before === undefined) return [`${name}: not in ${file}`]
    return Object.entries(numbers).flatMap(([key, now]) => {
      const then = before.numbers[key]
      if (then === undefined || then === null) return []
      return [`${name}, ${key}: ${now.toFixed(2)}, was ${then.toFixed(2)} (${(now / then).toFixed(2)}x)`]
    })
  })
}

const [begin, end] = ["<!-- table -->\n", "<!-- end of table -->\n"]

/** Replaces the table in the page by the rows. */
export const fill = (page: string, rows: ReadonlyArray<Row>): void => {
  const text = readFileSync(page, "utf8")
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table`)
  const lines = rows.map(({ aim, name, value }) => `| ${name} | ${value} | ${aim} |\n`)
  const table = `| row | measured | aim |\n| --- | --- | --- |\n${lines.join("")}`
  writeFileSync(page, `${text.slice(0, from)}${begin}${table}${text.slice(to)}`)
}
