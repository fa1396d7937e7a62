/**
 * The write lane: the one way in which anything is written. Writes wait in one queue; a single drainer takes the permit,
 * then what waits, and commits it as one group. The permit is held while SQL runs and at no other time: a body is a
 * plain function, so nothing can be awaited in it.
 *
 * What waits is plain state, changed only between two awaits of the drainer or in one step of a caller.
 *
 * A write is answered after its group's COMMIT, the return of the permit and the signals to whoever watches, in this
 * order: what was answered is durable and can be read.
 *
 * 1. A body that refuses, breaks a constraint or dies undoes its own writes; its neighbours do not notice.
 * 2. BEGIN finds another process's lock: the permit is given back, all keep waiting, and it is tried again. A write
 *    that has waited `busyMaxMillis` for the lock gets `StorageBusy`.
 * 3. Any other failure before COMMIT: SQLite may have rolled everything back by itself, so nothing more is tried in
 *    this transaction. The write at which it failed gets `StorageFailed`, the others another try.
 * 4. COMMIT fails: the connection is closed, a new one opened, and the group's mark decides for all of it. When it
 *    cannot be looked up before `busyMaxMillis` have passed: `OutcomeUnknown`.
 *
 * Interrupted while it waits, a write leaves the queue; once its group has begun, its caller waits for the outcome.
 * Closing the lane first writes what waits.
 */
import { Cause, Context, Duration, Effect, Exit, Fiber, Hash, Layer, Schedule } from "effect"
import {
  OutcomeUnknown,
  StorageBusy,
  StorageFailed,
  StorageUnusable,
  type Write
} from "../../../../domain/SkeinError.js"
import { busySchedule, Database, type SqlFailure, type Writer } from "../Database.js"
import { EngineConfig } from "../../../EngineConfig.js"
import { EventSignals } from "../../EventSignals.js"
import { Ids } from "../../../Ids.js"
import * as GroupCommit from "./GroupCommit.js"
import { type Pending, PendingWrite } from "./PendingWrite.js"
import * as Metrics from "../../../Metrics.js"

export interface Service {
  /**
   * Commits what `body` writes. A refusal (left) undoes it, and so does a statement that fails. The body may run
   * again, after everything that it did was rolled back. `operation` is a verb for messages, such as "rename".
   */
  readonly write: <A, E>(operation: string, body: GroupCommit.Body<A, E>) => Effect.Effect<A, E | Write>
}

export class WriteLane extends Context.Tag("skein/WriteLane")<WriteLane, Service>() {}

/** Most writes of one group: bounds how long the event loop is held. */
const groupSize = 512

/** Groups may follow each other without a pause; after this long, in milliseconds, all else has a turn. */
const mostHeldMillis = 20

/** How long the path is taken to lead to the file that is open before it is looked at again, in milliseconds. */
const lookMillis = 20

/** Marks are numbers of 48 bits, half of them the lane's own. */
const marksOfLane = 2 ** 24

/** A group whose COMMIT failed. */
interface Unsettled extends GroupCommit.FailedCommit {
  readonly writes: ReadonlyArray<Pending>
  readonly touched: GroupCommit.Touched
  blockedSince: number | null
}

/** What an attempt at the next group came to; `finish` is to be done once the permit is back. */
interface Attempt {
  readonly busy: boolean
  readonly finish: () => void
}

const make = Effect.gen(function* () {
  const database = yield* Database
  const signals = yield* EventSignals
  const { busyMaxMillis } = yield* EngineConfig
  const lane = yield* (yield* Ids).next("lane")
  const marks = (Hash.string(lane) & 0xffffff) * marksOfLane
  const permit = yield* Effect.makeSemaphore(1)
  const clock = yield* Effect.clock
  const elapsed = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
  const wake = yield* Effect.makeLatch(false)

  const waiting = new Set<Pending>()
  const retrying = new Set<Pending>()
  let begun: ReadonlyArray<Pending> = []
  let unsettled: Unsettled | null = null
  let groups = 0
  let closed = false
  let replaced = false
  let lookedAt: number | null = null

  const isIdle = () => waiting.size === 0 && retrying.size === 0 && unsettled === null

  const failEach = (writes: Iterable<Pending>, error: (operation: string) => Write) => {
    for (const write of writes) write.fail(Exit.fail(error(write.operation)))
  }

  const answerEach = (writes: ReadonlyArray<Pending>, { stopRequested, sessions }: GroupCommit.Touched) => {
    sessions.forEach(signals.signal)
    if (stopRequested) signals.signalStopRequests()
    for (const write of writes) write.answer()
  }

  const giveUp = ({ failure: { code }, writes }: Unsettled) => {
    unsettled = null
    failEach(writes, (operation) => new OutcomeUnknown({ operation, code }))
  }

  /** Nothing can be written now, and not because of anything that waits. */
  const failAll = (error: (operation: string) => Write) => {
    if (unsettled !== null) giveUp(unsettled)
    const writes = [...retrying, ...waiting]
    retrying.clear()
    waiting.clear()
    failEach(writes, error)
  }

  /** The lock was not to be had: those that have waited for it too long are told. */
  const expire = (now: number) => {
    const isExpired = (blocked: { blockedSince: number | null }) =>
      now - (blocked.blockedSince ??= now) >= busyMaxMillis
    if (unsettled !== null && isExpired(unsettled)) giveUp(unsettled)
    for (const queue of [retrying, waiting]) {
      for (const write of queue) {
        if (!isExpired(write)) continue
        queue.delete(write)
        const waitedMillis = now - (write.blockedSince ?? now)
        failEach([write], (operation) => new StorageBusy({ operation, waitedMillis }))
      }
    }
  }

  /** Takes the next group out of its queue. */
  const take = (queue: Set<Pending>): ReadonlyArray<Pending> => {
    const taken: Array<Pending> = []
    for (const write of queue) {
      if (taken.length === groupSize) write.blockedSince = null
      else {
        queue.delete(write)
        taken.push(write)
      }
    }
    return taken
  }

  /** A group that failed, always by one write fewer. */
  const tryAgain = (writes: ReadonlyArray<Pending>, culprit: Pending | null, { code }: SqlFailure) => {
    for (const write of writes) {
      if (culprit !== null && write !== culprit) retrying.add(write)
      else failEach([write], (operation) => new StorageFailed({ operation, code }))
    }
  }

  const settled = ({ failure: { code }, touched, writes }: Unsettled, verdict: "stored" | "not-stored") => {
    unsettled = null
    if (verdict === "stored") answerEach(writes, touched)
    else failEach(writes, (operation) => new StorageFailed({ operation, code }))
  }

  const done = (finish: () => void): Attempt => ({ busy: false, finish })
  const discard = (finish: () => void) => Effect.as(database.discard, done(finish))
  const rollBack = (writer: Writer, finish: () => void) =>
    GroupCommit.rollBack(writer) ? Effect.succeed(done(finish)) : discard(finish)

  /** Brings one group to an end in the transaction that has begun. */
  const advance = (writer: Writer, now: number): Effect.Effect<Attempt> => {
    const group: GroupCommit.Group = { lane, mark: marks + (++groups % marksOfLane), now, elapsed }

    if (unsettled !== null) {
      const failed = unsettled
      const verdict = GroupCommit.settle(writer, group, failed)
      return verdict === "unknown"
        ? discard(() => giveUp(failed))
        : Effect.succeed(done(() => settled(failed, verdict)))
    }

    const isolated = retrying.size > 0
    const writes = (begun = take(isolated ? retrying : waiting))
    // Tried again, a write has waited for its own kind and not for the lane.
    if (!isolated) for (const { since } of writes) Metrics.writeWait.unsafeUpdate(elapsed() - since, [])
    const ending = GroupCommit.commit(writer, group, writes, isolated)
    switch (ending._tag) {
      case "Done":
        Metrics.writesPerCommit.unsafeUpdate(writes.length, [])
        return Effect.succeed(done(() => answerEach(writes, ending.touched)))
      case "Entangled":
        return rollBack(writer, () => writes.forEach((write) => retrying.add(write)))
      case "Failed": {
        const finish = () => tryAgain(writes, ending.culprit, ending.failure)
        return ending.failure.kind === "spoilt" ? discard(finish) : rollBack(writer, finish)
      }
      case "CommitFailed":
        unsettled = { ...ending, writes, blockedSince: null }
        return discard(() => {})
    }
  }

  const attempt = Effect.suspend(() => {
    if (isIdle()) return Effect.succeed(done(() => {}))
    const begun = elapsed()
    if (lookedAt === null || begun - lookedAt >= lookMillis) {
      replaced = database.isReplaced()
      lookedAt = begun
    }
    if (replaced) {
      const error = new StorageUnusable({ path: database.path, reason: "replaced", detail: "" })
      return Effect.succeed(done(() => failAll(() => error)))
    }
    const busy: Attempt = { busy: true, finish: () => expire(Math.trunc(begun)) }
    return Effect.matchEffect(database.writer, {
      onSuccess: (writer) => {
        const refusal = GroupCommit.begin(writer)
        if (refusal === null) {
          return Effect.map(advance(writer, clock.unsafeCurrentTimeMillis()), (attempt) => {
            Metrics.writeHold.unsafeUpdate(elapsed() - begun, [])
            return attempt
          })
        }
        return refusal.kind === "busy"
          ? Effect.succeed(busy)
          : discard(() => failAll((operation) => new StorageFailed({ operation, code: refusal.code })))
      },
      onFailure: (error) =>
        Effect.succeed(
          error._tag === "StorageUnusable" && error.reason === "locked" ? busy : done(() => failAll(() => error))
        )
    })
  })

  /** A defect is a mistake of ours or of the adapter's: those who wait are told, and the lane goes on. */
  const die = (cause: Cause.Cause<never>) =>
    Effect.map(database.discard, () => {
      const writes = [...begun, ...(unsettled?.writes ?? []), ...retrying, ...waiting]
      begun = []
      unsettled = null
      retrying.clear()
      waiting.clear()
      for (const write of writes) write.fail(Exit.failCause(cause))
    })

  /** Gives whether another process's lock is in the way. */
  const step = Effect.map(permit.withPermits(1)(attempt), ({ busy, finish }) => {
    begun = []
    finish()
    if (isIdle()) wake.unsafeClose()
    if (busy) Metrics.busyRetries.unsafeUpdate(1, [])
    return busy && !isIdle()
  })

  const drain = Effect.catchAllCause(step, (cause) => Effect.as(die(cause), false))
  const whileBusy = Schedule.whileInput(busySchedule, (busy: boolean) => busy)

  const drainer = Effect.gen(function* () {
    let held = 0
    while (!closed || !isIdle()) {
      yield* wake.await
      const [took, busy] = yield* Effect.timed(drain)
      held += Duration.toMillis(took)
      if (busy) yield* Effect.scheduleFrom(drain, true, whileBusy)
      if (busy || held >= mostHeldMillis) {
        yield* Effect.sleep(0)
        held = 0
      }
    }
  })

  yield* Effect.acquireRelease(Effect.forkDaemon(drainer), (drainer) =>
    Effect.suspend(() => {
      closed = true
      wake.unsafeOpen()
      return Fiber.await(drainer)
    })
  )

  const write = <A, E>(operation: string, body: GroupCommit.Body<A, E>): Effect.Effect<A, E | Write> =>
    Effect.uninterruptibleMask((restore) => {
      if (closed) return Effect.fail(new StorageFailed({ operation, code: "CLOSED" }))
      const write = new PendingWrite(operation, elapsed(), body)
      waiting.add(write)
      wake.unsafeOpen()
      return Effect.catchAllCause(restore(write.outcome), (cause) => {
        const withdrawn = !Cause.isInterruptedOnly(cause) || waiting.delete(write) || retrying.delete(write)
        return withdrawn
          ? Effect.failCause(cause)
          : Effect.zipRight(Effect.exit(write.outcome), Effect.failCause(cause))
      })
    })

  return { write }
})

export const layer: Layer.Layer<WriteLane, never, Database | EventSignals | Ids> = Layer.scoped(WriteLane, make)
