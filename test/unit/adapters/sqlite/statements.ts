/** Which statements SQLite runs in this process, over all connections. */
import { vi } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"

const isStatement = (value: unknown): value is Sqlite.Statement => value instanceof Object && "all" in value

/** Records each statement that runs. */
const spies = () => {
  const connection = new Sqlite(":memory:")
  const statement: unknown = Object.getPrototypeOf(connection.prepare("SELECT 1"))
  connection.close()
  if (!isStatement(statement)) throw new Error("no statement")
  return [
    vi.spyOn(statement, "all"),
    vi.spyOn(statement, "get"),
    vi.spyOn(statement, "run"),
    vi.spyOn(statement, "iterate"),
    vi.spyOn(Sqlite.prototype, "exec")
  ]
}

/** How often each text is run during the effect. */
export const texts = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(spies),
    (spies) =>
      Effect.map(effect, () => {
        const counts = new Map<string, number>()
        for (const statement of spies.flatMap(({ mock }): ReadonlyArray<unknown> => mock.contexts)) {
          if (isStatement(statement)) counts.set(statement.source, (counts.get(statement.source) ?? 0) + 1)
        }
        return counts
      }),
    (spies) => Effect.sync(() => spies.forEach((spy) => spy.mockRestore()))
  )

/** How many statements run during the effect. */
export const counted = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(spies),
    (spies) =>
      Effect.map(effect, (result) => [result, spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0)] as const),
    (spies) => Effect.sync(() => spies.forEach((spy) => spy.mockRestore()))
  )
