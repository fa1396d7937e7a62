/**
 * Whether a session's row says where the session is: its head, and its newest cursor. Its other rows tell both, once
 * nothing else of it is damaged. A cursor beyond what they show is one whose event is lost, which is not found here.
 */
import { sessionRows } from "../../../services/storage/sql/Tables.js"
import * as Change from "./Change.js"
import * as EventCheck from "./EventCheck.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import type { SessionRows } from "./RowCheck.js"
import * as Rows from "./Rows.js"

const greatest = (numbers: Iterable<unknown>): number => {
  let greatest = 0
  for (const number of numbers) greatest = Math.max(greatest, Number(number))
  return greatest
}

const headOf = ({ calls }: SessionRows, places: EventCheck.Places): number =>
  calls.length === 0 ? greatest(places.keys()) : Math.min(...calls.map(({ seq }) => Number(seq))) - 1

export const check = (session: SessionKey, rows: SessionRows, places: EventCheck.Places): ReadonlyArray<Finding> => {
  const { own } = rows
  const cursor = Math.max(Number(own.cursor), EventCheck.newestOf(rows, places))
  const values = Rows.differing(own, { head: headOf(rows, places), cursor })
  const names = Object.keys(values)
  if (names.length === 0) return []
  const ids = { session, ...Rows.named(sessionRows, own), detail: `is not what its rows tell at ${names.join(", ")}` }
  return [make("row-damaged", ids, [Change.update(sessionRows, own, values)])]
}
