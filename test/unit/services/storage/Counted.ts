/** SQLite with every statement counted. */
import { Context, Effect, Layer } from "effect"
import * as SqliteDatabase from "../../../../src/adapters/sqlite/SqliteDatabase.js"
import { Database, type Parameter } from "../../../../src/services/storage/sql/Database.js"

export const counted = ["writes", "reads", "rows", "characters", "changed", "commits", "fibers"] as const

/** `rows` and `characters` count what is read; `changed` counts the rows that the writer returned or changed. */
export type Cost = Record<(typeof counted)[number], number>

export const costs = (each: number): Cost => ({
  writes: each,
  reads: each,
  rows: each,
  characters: each,
  changed: each,
  commits: each,
  fibers: each
})

export class Counter extends Context.Tag("test/Counter")<Counter, Cost & { readonly statements: Set<string> }>() {}

export const counter = Layer.sync(Counter, () => ({ ...costs(0), statements: new Set<string>() }))

export const database = Layer.effect(
  Database,
  Effect.gen(function* () {
    const real = yield* Database
    const counter = yield* Counter
    const write = (statement: string) => {
      counter.writes++
      counter.statements.add(statement)
      if (statement === "COMMIT") counter.commits++
    }
    const read = <Row>(statement: string, rows: ReadonlyArray<Row>) => {
      counter.reads++
      counter.statements.add(statement)
      counter.rows += rows.length
      counter.characters += JSON.stringify(rows).length
      return rows
    }
    return {
      ...real,
      reader: {
        all: <Row>(statement: string, ...parameters: ReadonlyArray<Parameter>) =>
          read(statement, real.reader.all<Row>(statement, ...parameters)),
        values: <Row extends ReadonlyArray<unknown>>(statement: string, ...parameters: ReadonlyArray<Parameter>) =>
          read(statement, real.reader.values<Row>(statement, ...parameters))
      },
      writer: Effect.map(real.writer, (writer) => ({
        ...writer,
        run: (statement: string, ...parameters: ReadonlyArray<Parameter>) => {
          write(statement)
          const changed = writer.run(statement, ...parameters)
          counter.changed += changed
          return changed
        },
        get: <Row>(statement: string, ...parameters: ReadonlyArray<Parameter>) => {
          write(statement)
          const row = writer.get<Row>(statement, ...parameters)
          counter.changed += row === undefined ? 0 : 1
          return row
        },
        all: <Row>(statement: string, ...parameters: ReadonlyArray<Parameter>) => {
          write(statement)
          const rows = writer.all<Row>(statement, ...parameters)
          counter.changed += rows.length
          return rows
        }
      }))
    }
  })
).pipe(Layer.provide(SqliteDatabase.layer))
