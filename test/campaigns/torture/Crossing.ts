/**
 * The points that a child crosses in its own code: it counts how often it crosses each, and kills itself by SIGKILL at
 * the given one.
 */
import Sqlite from "better-sqlite3"
import type { Own } from "./Points.js"

interface Crossing {
  readonly cross: (point: Own) => void
  /** From now on, statements no longer count as those of an opening. */
  readonly opened: () => void
  readonly counts: () => Record<string, number>
}

export const make = (deadly: { readonly name: Own; readonly at: number } | null): Crossing => {
  const counts = new Map<Own, number>()
  let isOpening = true
  const cross = (point: Own): void => {
    const times = (counts.get(point) ?? 0) + 1
    counts.set(point, times)
    if (deadly?.name === point && deadly.at === times) process.kill(process.pid, "SIGKILL")
  }
  watchStatements((text, run) => {
    if (isOpening) cross("statement before")
    if (text === "COMMIT") cross("commit before")
    const result = run()
    if (text === "COMMIT") cross("commit after")
    if (isOpening) cross("statement after")
    return result
  })
  return { cross, opened: () => void (isOpening = false), counts: () => Object.fromEntries(counts) }
}

/** Calls `around` for every statement that this process runs, on any connection. Returns a function that ends this. */
export const watchStatements = (around: (text: string, run: () => unknown) => unknown): (() => void) => {
  const connection = new Sqlite(":memory:")
  const prototype: object = Object.getPrototypeOf(connection.prepare("SELECT 1"))
  connection.close()
  const originals = ["run", "get", "all"].map((name): readonly [string, unknown] => [
    name,
    Reflect.get(prototype, name)
  ])
  for (const [name, original] of originals) {
    if (typeof original !== "function") throw new Error(`statements have no ${name}`)
    Reflect.set(prototype, name, function (this: object, ...parameters: ReadonlyArray<unknown>): unknown {
      return around(String(Reflect.get(this, "source")), (): unknown => Reflect.apply(original, this, parameters))
    })
  }
  return () => originals.forEach(([name, original]) => Reflect.set(prototype, name, original))
}
