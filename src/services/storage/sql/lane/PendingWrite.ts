/**
 * A write on its way through the lane: its body, and the caller that waits for its outcome. A small `Deferred` with one
 * value and one waiter, because the cost of each write counts.
 */
import { Effect, Either, Exit } from "effect"
import type { Actor } from "../../../../domain/Actor.js"
import type { InPieces } from "../../../../domain/InPieces.js"
import { StorageFailed, type Write } from "../../../../domain/SkeinError.js"
import { type Sql, SqlFailure } from "../Database.js"
import type { Member } from "./GroupCommit.js"
import { type LaterSql, type Program, runInPieces, runLater } from "./Program.js"
import type { Transaction } from "./Transaction.js"

/** What a write does. It may run again, after everything that it did was rolled back. */
export type Body<A, E> = (tx: Transaction) => Program<A, E>

/** The part of a write that the lane uses. */
export interface QueuedWrite extends Member {
  readonly operation: string
  /** When it was queued, in milliseconds on the lane's clock. */
  readonly since: number
  readonly isAnswered: boolean
  /** Answers the caller with the outcome of the body. */
  readonly answer: () => void
  readonly fail: (exit: Exit.Exit<never, Write>) => void
  /** When BEGIN first found another process's lock while this write waited, in milliseconds. */
  blockedSince: number | null
}

export class PendingWrite<A, E> implements QueuedWrite {
  blockedSince: number | null = null
  #outcome: Exit.Exit<A, E | Write> = Exit.die("answered before it ran")
  #answer: Exit.Exit<A, E | Write> | null = null
  #resume: ((answer: Exit.Exit<A, E | Write>) => void) | null = null

  constructor(
    readonly operation: string,
    readonly since: number,
    readonly actor: Actor | null,
    readonly body: Body<A, E>
  ) {}

  *run(sql: Sql, tx: Transaction): InPieces<boolean> {
    try {
      const result = yield* runInPieces(sql, this.body(tx))
      if (Either.isRight(result)) for (const store of tx.endings.values()) yield* runInPieces(sql, store())
      this.#outcome = Either.isRight(result) ? Exit.succeed(result.right) : Exit.fail(result.left)
    } catch (thrown) {
      if (!(thrown instanceof SqlFailure)) this.#outcome = Exit.die(thrown)
      else if (thrown.kind === "constraint") {
        this.#outcome = Exit.fail(new StorageFailed({ operation: this.operation, code: thrown.code }))
      } else throw thrown
    }
    return Exit.isSuccess(this.#outcome)
  }

  /** The same on a connection that answers later. Whatever statement fails, the whole group must end. */
  async runLater(sql: LaterSql, tx: Transaction): Promise<boolean> {
    try {
      const result = await runLater(sql, this.body(tx))
      if (Either.isRight(result)) for (const store of tx.endings.values()) await runLater(sql, store())
      this.#outcome = Either.isRight(result) ? Exit.succeed(result.right) : Exit.fail(result.left)
    } catch (thrown) {
      if (thrown instanceof SqlFailure) throw thrown
      this.#outcome = Exit.die(thrown)
    }
    return Exit.isSuccess(this.#outcome)
  }

  get isAnswered(): boolean {
    return this.#answer !== null
  }

  answer(): void {
    this.#end(this.#outcome)
  }

  fail(exit: Exit.Exit<never, Write>): void {
    this.#end(exit)
  }

  /** Waits for the answer, replacing an earlier waiter. */
  get outcome(): Effect.Effect<A, E | Write> {
    return Effect.async((resume) => {
      if (this.#answer === null) this.#resume = resume
      else resume(this.#answer)
    })
  }

  #end(answer: Exit.Exit<A, E | Write>): void {
    if (this.#answer !== null) return
    this.#answer = answer
    this.#resume?.(answer)
  }
}
