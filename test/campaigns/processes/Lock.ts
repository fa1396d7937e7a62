/** The write lock of a data folder, taken by a process that is not an engine: this one. */
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { join } from "node:path"

/** Takes the lock until the scope closes. Returns an effect that releases it earlier. */
export const lock = (data: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Sqlite(join(data, "skein.db"), { timeout: 5_000 })),
      (connection) => Effect.sync(() => connection.close())
    ),
    (connection) => {
      connection.exec("BEGIN IMMEDIATE")
      return Effect.sync(() => void connection.exec("ROLLBACK"))
    }
  )
