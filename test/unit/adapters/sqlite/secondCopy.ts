/** A second installed copy of Skein: it opens a data folder through the driver next to it. */
import { Effect, Exit, Layer, Scope } from "effect"
import * as Driver from "../../../../src/adapters/sqlite/Driver.js"
import * as SqliteDatabase from "../../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"

const answered = (run: () => void): string => {
  try {
    run()
    return "opened"
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Opens the database of a data folder. Returns the result as a text, and how to close the database. */
export const open = (data: string) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const database = Layer.provide(SqliteDatabase.layer, Layer.succeed(DataDirectory, data))
      const opened = yield* Effect.either(Scope.extend(Layer.build(database), scope))
      return {
        said: opened._tag === "Right" ? "opened" : opened.left.message,
        close: () => Effect.runPromise(Scope.close(scope, Exit.void))
      }
    })
  )

/** Opens a connection and closes it. Returns the result as a text. */
export const connect = (path: string): string => answered(() => Driver.open(path, {}).close())
