/**
 * The few parts of SQL that differ between the two databases, replaced in the text for SQLite. Each text is translated
 * once.
 */
import { unlocked } from "../../services/storage/sql/Unlocked.js"
import * as SessionOrdinal from "../../services/storage/sql/SessionOrdinal.js"

const nextOrdinal = "nextval(pg_get_serial_sequence('session_rows', 'ordinal'))"

const replacements: ReadonlyArray<readonly [from: string, to: string]> = [
  [unlocked, "FOR NO KEY UPDATE SKIP LOCKED"],
  [SessionOrdinal.next, nextOrdinal],
  // A sequence in PostgreSQL does not get damaged on its own.
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

/** Returns the text of a statement for PostgreSQL. */
export const toPostgres = (text: string): string => {
  const known = translated.get(text)
  if (known !== undefined) return known
  const made = translate(text)
  translated.set(text, made)
  return made
}
