/** What repairs work with. */
import type Sqlite from "better-sqlite3"
import type { Aside } from "../Aside.js"
import type { SessionKey } from "./Finding.js"

/** For files. */
export interface Files {
  readonly aside: Aside
}

/** For rows. Nothing else has the database open. */
export interface Means extends Files {
  readonly connection: Sqlite.Database
}

/**
 * Changes rows of a session in one transaction. A repair has no event, so all cursors from before it become too old, and
 * clients load the session again. None of these cursors is ever given out again.
 */
export const change = ({ connection }: Means, { ordinal }: SessionKey, run: () => void): void =>
  connection
    .transaction(() => {
      run()
      connection
        .prepare<[number]>(
          `UPDATE session_rows SET first_cursor =
             (SELECT sessions.cursor + 1 FROM sessions WHERE sessions.ordinal = session_rows.ordinal)
           WHERE ordinal = ?`
        )
        .run(ordinal)
    })
    .immediate()
