/** A database that fails on demand: it records what the writer runs, and lets a test step in. */
import { Context, Effect, Layer } from "effect"
import * as SqliteFailure from "../../../../../../src/adapters/sqlite/SqliteFailure.js"
import type { StorageFailed } from "../../../../../../src/domain/SkeinError.js"
import { Database, type Writer } from "../../../../../../src/services/storage/sql/Database.js"

export class Faults extends Context.Tag("test/Faults")<
  Faults,
  {
    /** What the writer ran, in order. */
    readonly statements: Array<string>
    /** Comes between the lane and each statement that returns no rows; `proceed` runs the statement. */
    onRun: (statement: string, proceed: () => number) => number
    /** Runs before a writer is opened again. */
    onReopen: Effect.Effect<void, StorageFailed>
  }
>() {}

export const layerFaults = Layer.sync(Faults, () => ({
  statements: [],
  onRun: (_, proceed) => proceed(),
  onReopen: Effect.void
}))

export const fail = (code: string): never => {
  throw SqliteFailure.fromCode(code)
}

/** Wraps the given database. */
export const layer = Layer.effect(
  Database,
  Effect.gen(function* () {
    const real = yield* Database
    const faults = yield* Faults
    let discarded = false

    const wrap = (writer: Writer): Writer => ({
      ...writer,
      run: (statement, ...parameters) => {
        faults.statements.push(statement)
        return faults.onRun(statement, () => writer.run(statement, ...parameters))
      }
    })
    return {
      ...real,
      writer: Effect.suspend(() => (discarded ? faults.onReopen : Effect.void)).pipe(
        Effect.zipRight(real.writer),
        Effect.map((writer) => {
          discarded = false
          return wrap(writer)
        })
      ),
      discard: Effect.zipRight(
        Effect.sync(() => void (discarded = true)),
        real.discard
      )
    }
  })
)
