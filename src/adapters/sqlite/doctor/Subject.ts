/** The session that is looked at, and how findings name it. */
import type { SessionId } from "../../../domain/Session.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import type { Means } from "./Finding.js"

export interface Subject {
  readonly ordinal: number
  readonly id: SessionId
  readonly query: Query
}

export const named = ({ id }: Subject): string => `session ${id}`

export const place = ({ id }: Subject, first: number, last = first): string =>
  `session ${id} at ${first === last ? first : `${first} to ${last}`}`

/**
 * Lets clients load the session anew: what a repair changes has no event, so cursors from before it are too old. None
 * is ever given out again.
 */
export const tellAnew = ({ connection }: Means, ordinal: number): void => {
  connection
    .prepare<[number]>(
      `UPDATE session_rows SET first_cursor = (SELECT cursor + 1 FROM sessions WHERE sessions.ordinal = session_rows.ordinal)
       WHERE ordinal = ?`
    )
    .run(ordinal)
}
