/**
 * The little that one text of SQL cannot say for both databases, replaced in the text that SQLite has. Each text is
 * translated once.
 */
import { unlocked } from "../../services/storage/sql/Unlocked.js"
import * as SessionOrdinal from "../../services/storage/sql/SessionOrdinal.js"

const nextOrdinal = "nextval(pg_get_serial_sequence('session_rows', 'ordinal'))"

const replacements: ReadonlyArray<readonly [from: string, to: string]> = [
  [unlocked, "FOR NO KEY UPDATE SKIP LOCKED"],
  [SessionOrdinal.next, nextOrdinal],
  // A sequence of PostgreSQL is not damaged by itself.
  [SessionOrdinal.restart, "SELECT 1 WHERE false"],
  ["json_array(", "json_build_array("],
  ["json_group_array(", "json_agg("]
]

const translate = (text: string): string => {
  let number = 0
  return replacements
    .reduce((text, [from, to]) => text.replaceAll(from, () => to), text)
    .replace(/\?/g, () => `$${++number}`)
}

const translated = new Map<string, string>()

/** The text of a statement in PostgreSQL's words. */
export const toPostgres = (text: string): string => {
  const known = translated.get(text)
  if (known !== undefined) return known
  const made = translate(text)
  translated.set(text, made)
  return made
}
