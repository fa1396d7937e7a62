/**
 * The body of a write as a program: a generator that yields statements and refusals, and nothing else. So nothing can
 * be awaited in a body, whoever runs it: SQLite's lane runs each statement immediately; another database may answer
 * later.
 *
 * A statement that is made but not yielded would never run, nor would a program that is called but not yielded: a lint
 * rule rejects both.
 */
import { Either, Utils } from "effect"
import type { InPieces } from "../../../../domain/InPieces.js"
import type { Parameter, Sql } from "../Database.js"

/** What a program may yield: a statement, or an `Either` whose left is the program's refusal. */
type Step<E = never> = Statement<unknown> | Utils.YieldWrap<Either.Either<unknown, E>>

/** Writes, and returns `A` or refuses with `E`. */
export type Program<A, E = never> = Generator<Step<E>, A, unknown>

/** Statements per piece. */
const pieceStatements = 64

/** Runs statements that are answered later. What is known immediately needs no wait. Fails with `SqlFailure`. */
export interface LaterSql {
  readonly run: (text: string, parameters: ReadonlyArray<Parameter>) => number | Promise<number>
  readonly get: <Row>(text: string, parameters: ReadonlyArray<Parameter>) => Promise<Row | undefined>
  readonly all: <Row>(text: string, parameters: ReadonlyArray<Parameter>) => Promise<ReadonlyArray<Row>>
}

/** A statement: `yield*` runs it and returns its answer. It is its own iterator, because each write makes many. */
export abstract class Statement<A> implements Iterator<Statement<A>, A, unknown> {
  #isYielded = false

  /** Runs it immediately and keeps its answer. */
  abstract runOn(sql: Sql): void
  /** Starts it; keeps its answer once that has arrived. */
  abstract runLaterOn(sql: LaterSql): void | Promise<void>
  protected abstract readonly answer: A;

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<this, A> {
    if (this.#isYielded) return { done: true, value: this.answer }
    this.#isYielded = true
    return { done: false, value: this }
  }
}

/** A statement with a text of SQL. */
abstract class Asked<A> extends Statement<A> {
  constructor(
    readonly text: string,
    readonly parameters: ReadonlyArray<Parameter>
  ) {
    super()
  }
}

class Run extends Asked<number> {
  protected answer = 0
  runOn(sql: Sql): void {
    this.answer = sql.run(this.text, ...this.parameters)
  }
  runLaterOn(sql: LaterSql): void | Promise<void> {
    const changed = sql.run(this.text, this.parameters)
    if (typeof changed !== "number") return changed.then((count) => void (this.answer = count))
    this.answer = changed
  }
}

class Get<Row> extends Asked<Row | undefined> {
  protected answer: Row | undefined = undefined
  runOn(sql: Sql): void {
    this.answer = sql.get<Row>(this.text, ...this.parameters)
  }
  async runLaterOn(sql: LaterSql): Promise<void> {
    this.answer = await sql.get<Row>(this.text, this.parameters)
  }
}

class All<Row> extends Asked<ReadonlyArray<Row>> {
  protected answer: ReadonlyArray<Row> = []
  runOn(sql: Sql): void {
    this.answer = sql.all<Row>(this.text, ...this.parameters)
  }
  async runLaterOn(sql: LaterSql): Promise<void> {
    this.answer = await sql.all<Row>(this.text, this.parameters)
  }
}

class ReleaseSpace extends Statement<void> {
  protected readonly answer = undefined
  runOn(sql: Sql): void {
    sql.releaseSpace()
  }
  /** A server gives back its space by itself. */
  runLaterOn(): void {}
}

/** Returns the number of rows that it changes. */
export const run = (text: string, parameters: ReadonlyArray<Parameter>): Statement<number> => new Run(text, parameters)

/** Returns the first row. `Row` names the columns that are selected. */
export const get = <Row>(text: string, parameters: ReadonlyArray<Parameter>): Statement<Row | undefined> =>
  new Get<Row>(text, parameters)

/** Returns all rows. */
export const all = <Row>(text: string, parameters: ReadonlyArray<Parameter>): Statement<ReadonlyArray<Row>> =>
  new All<Row>(text, parameters)

/** Gives the space of removed rows back to the file system, as `Sql.releaseSpace` does. */
export const releaseSpace = (): Statement<void> => new ReleaseSpace()

/** The same program with other refusals. */
export function* mapRefusal<A, E, E2>(program: Program<A, E>, refuse: (refusal: E) => E2): Program<A, E2> {
  let step = program.next()
  while (step.done !== true) {
    if (step.value instanceof Statement) {
      yield step.value
      step = program.next()
    } else step = program.next(yield* Either.mapLeft(Utils.yieldWrapGet(step.value), refuse))
  }
  return step.value
}

/** Runs each statement of a program immediately. Throws `SqlFailure` when one fails. */
export function* runInPieces<A, E>(sql: Sql, program: Program<A, E>): InPieces<Either.Either<A, E>> {
  let statements = 0
  let step = program.next()
  while (step.done !== true) {
    const asked = step.value
    if (asked instanceof Statement) {
      if (statements === pieceStatements) {
        yield
        statements = 0
      }
      statements++
      asked.runOn(sql)
      step = program.next()
    } else {
      const either = Utils.yieldWrapGet(asked)
      if (Either.isLeft(either)) return Either.left(either.left)
      step = program.next(either.right)
    }
  }
  return Either.right(step.value)
}

/** Runs a program, each statement once the one before it is answered. Fails with the `SqlFailure` of a statement. */
export const runLater = async <A, E>(sql: LaterSql, program: Program<A, E>): Promise<Either.Either<A, E>> => {
  let step = program.next()
  while (step.done !== true) {
    const asked = step.value
    if (asked instanceof Statement) {
      const answered = asked.runLaterOn(sql)
      if (answered !== undefined) await answered
      step = program.next()
    } else {
      const either = Utils.yieldWrapGet(asked)
      if (Either.isLeft(either)) return Either.left(either.left)
      step = program.next(either.right)
    }
  }
  return Either.right(step.value)
}
