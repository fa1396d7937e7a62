/** A write on its way through the lane: its body, and the caller who waits for what it comes to. */
import { Deferred, Either, Exit } from "effect"
import { StorageFailed, type Write } from "../../domain/SkeinError.js"
import { SqlFailure } from "../Database.js"
import type { Body, Member } from "./GroupCommit.js"

export interface PendingWrite extends Member {
  readonly operation: string
  /** Answers with what the body came to. */
  readonly answer: () => void
  readonly fail: (exit: Exit.Exit<never, Write>) => void
  /** When BEGIN first found another process's lock while this write waited, in milliseconds. */
  blockedSince: number | null
  /** Whether it has been rolled back for another's failure. */
  retried: boolean
}

export const make = <A, E>(
  operation: string,
  deferred: Deferred.Deferred<A, E | Write>,
  body: Body<A, E>
): PendingWrite => {
  let outcome: Exit.Exit<A, E | Write> = Exit.die("answered before it ran")
  return {
    operation,
    run: (transaction) => {
      try {
        const result = body(transaction)
        outcome = Either.isRight(result) ? Exit.succeed(result.right) : Exit.fail(result.left)
      } catch (thrown) {
        if (!(thrown instanceof SqlFailure)) outcome = Exit.die(thrown)
        else if (thrown.code.startsWith("SQLITE_CONSTRAINT")) {
          outcome = Exit.fail(new StorageFailed({ operation, code: thrown.code }))
        } else throw thrown
      }
      return Exit.isSuccess(outcome)
    },
    answer: () => Deferred.unsafeDone(deferred, outcome),
    fail: (exit) => Deferred.unsafeDone(deferred, exit),
    blockedSince: null,
    retried: false
  }
}
