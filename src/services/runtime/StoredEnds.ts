/**
 * How the end of a run is stored where storage fails. Until it is stored the run holds its session, so it is tried again
 * for as long as the engine works. Once storage has failed for more than a moment, the host is told, and so is whoever
 * waits for a run to be stopped.
 */
import { Context, Effect, Schedule, Schema } from "effect"
import * as SkeinError from "../../domain/SkeinError.js"
import * as HandlerResult from "./HandlerResult.js"

export interface Shape {
  /** Receives what storage fails with, once for each run whose end it does not take. */
  readonly failing: (error: SkeinError.Write) => Effect.Effect<void>
}

/** Whom an engine tells that the ends of runs wait for storage. By itself it only writes a log. */
export class StoredEnds extends Context.Reference<StoredEnds>()("skein/StoredEnds", {
  defaultValue: (): Shape => ({ failing: () => Effect.void })
}) {}

/** Between two attempts. */
const patience = Schedule.union(Schedule.exponential("50 millis"), Schedule.spaced("2 seconds"))

/** Attempts that fail before anybody is told: those of the first second and a half. */
const attemptsOfAMoment = 6

const isWrite = Schema.is(SkeinError.Write)

/** What storage failed with, as those who wait for it know it: a host's own storage may break where it should fail. */
const errorOf = (error: unknown): SkeinError.Write =>
  isWrite(error) ? error : new SkeinError.StorageFailed({ operation: "end the run", code: HandlerResult.nameOf(error) })

interface Waiting {
  /** Whether there is no point in another attempt after this failure. */
  readonly isLast: (error: unknown) => boolean
  /** Returns when there is to be one more attempt, at once. */
  readonly hurried: Effect.Effect<void>
  /** Called once storage has failed for more than a moment. */
  readonly failing: (error: SkeinError.Write) => Effect.Effect<unknown>
}

/** Tries again until it is stored, or until a failure is the last one. */
export const untilStored = <E>(attempt: Effect.Effect<void, E>, { failing, hurried, isLast }: Waiting) =>
  Effect.flatMap(Schedule.driver(patience), (delays) => {
    let failed = 0
    // The fiber of a run must not be interrupted here, but what it waits for must.
    const wait = Effect.raceFirst(
      Effect.interruptible(Effect.ignore(delays.next(undefined))),
      Effect.interruptible(hurried)
    )
    const isAnother = Effect.fnUntraced(function* (error: E) {
      if (isLast(error)) return false
      failed += 1
      if (failed === attemptsOfAMoment) yield* failing(errorOf(error))
      yield* wait
      return true
    })
    return Effect.ignore(Effect.retry(attempt, { while: isAnother }))
  })
