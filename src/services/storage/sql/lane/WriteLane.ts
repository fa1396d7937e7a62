/**
 * The write lane: everything is written through it. Writes wait in one queue. Whoever drains it takes the permit, then
 * the waiting writes, and commits them as one group. The permit is held only while SQL runs: a body is a program,
 * in which nothing can be awaited.
 *
 * A caller that has queued its write lets all fibers that are ready queue theirs, then drains in its own step. It leaves
 * that to the drainer, a fiber of its own, when another process holds the lock, or when writes have gone on for so long
 * without a turn of the event loop that other work must have one.
 *
 * The queue is plain state, mutated only synchronously, by whoever drains it or by a caller.
 *
 * A write is answered after its group's COMMIT, the return of the permit and the signals to watchers, in this order: an
 * answered write is durable and can be read.
 *
 * 1. A body that refuses, breaks a constraint or dies undoes its own changes; the other writes do not notice.
 * 2. BEGIN finds another process's lock: the permit is returned, all writes keep waiting, and the lane tries again. A
 *    write that has waited `busyMaxMillis` for the lock fails with `StorageBusy`.
 * 3. Any other failure before COMMIT: the database may have rolled everything back by itself, so nothing more is tried
 *    in this transaction. The write that failed gets `StorageFailed`, the others are tried again.
 * 4. COMMIT fails: the connection is closed, a new one opened, and the group's mark decides for the whole group. If it
 *    cannot be looked up within `busyMaxMillis`: `OutcomeUnknown`.
 *
 * A write that is interrupted while it waits leaves the queue. Once its group has begun, its caller waits for the outcome.
 * Closing the lane first writes what waits.
 */
import { Cause, Context, Effect, Exit, Fiber, Hash, Layer, Schedule } from "effect"
import {
  OutcomeUnknown,
  StorageBusy,
  StorageFailed,
  StorageUnusable,
  type Write
} from "../../../../domain/SkeinError.js"
import { busySchedule, Database, type SqlFailure, type Writer } from "../Database.js"
import * as Actor from "../../../Actor.js"
import { EventLoop } from "../../../EventLoop.js"
import { EngineConfig } from "../../../EngineConfig.js"
import { EventSignals } from "../../EventSignals.js"
import { Ids } from "../../../Ids.js"
import * as GroupCommit from "./GroupCommit.js"
import { type Body, type QueuedWrite, PendingWrite } from "./PendingWrite.js"
import type { Wakeups } from "./Transaction.js"
import * as Metrics from "../../../Metrics.js"

export interface Service {
  /**
   * Commits what `body` writes. A refusal (left) undoes it, and so does a statement that fails. The body may run
   * again, after everything that it did was rolled back. `operation` is a verb for messages, such as "rename". What is
   * written is the engine's own work, and nobody's.
   */
  readonly write: <A, E>(operation: string, body: Body<A, E>) => Effect.Effect<A, E | Write>
  /** The same for what a client asks for: it is its fiber's actor's. */
  readonly writeFor: <A, E>(operation: string, body: Body<A, E>) => Effect.Effect<A, E | Write>
}

export class WriteLane extends Context.Tag("skein/WriteLane")<WriteLane, Service>() {}

/** Most writes of one group: bounds how long the event loop is held. */
const groupSize = 512

/**
 * Writes may go on for this long without a turn of the event loop, in milliseconds; then other work has its turn. What
 * their callers do between them counts, as it holds the event loop as well.
 */
const mostHeldMillis = 12

/** How often the lane checks that the path still leads to the open file, in milliseconds. */
const lookMillis = 20

/** Marks are numbers of 48 bits, half of them the lane's own. */
const marksOfLane = 2 ** 24

/** A group whose COMMIT failed. */
interface UnsettledGroup extends GroupCommit.FailedCommit {
  readonly writes: ReadonlyArray<QueuedWrite>
  readonly wakeups: Wakeups
  blockedSince: number | null
}

/** The outcome of an attempt at the next group. `finish` runs once the permit is returned. */
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
  const { turn } = yield* EventLoop
  const elapsed = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
  const wake = yield* Effect.makeLatch(false)

  const waiting = new Set<QueuedWrite>()
  const retrying = new Set<QueuedWrite>()
  let begun: ReadonlyArray<QueuedWrite> = []
  let unsettled: UnsettledGroup | null = null
  let groups = 0
  let closed = false
  /** Whether the drainer has the lane, until it is idle. */
  let handedOver = false
  /** When a write came first since the last turn of the event loop; null when none has come. */
  let heldSince: number | null = null
  let replaced = false
  let lookedAt: number | null = null

  const turning = yield* Effect.makeLatch(false)
  const isHeld = () => heldSince !== null && elapsed() - heldSince >= mostHeldMillis

  const hold = () => {
    heldSince ??= elapsed()
    turning.unsafeOpen()
  }

  const pause = Effect.zipRight(
    turn,
    Effect.sync(() => (heldSince = null))
  )

  /** Notices the turns of the event loop, while there are writes. */
  const noticeTurns = Effect.forever(
    Effect.zipRight(
      turning.await,
      Effect.zipRight(
        pause,
        Effect.sync(() => turning.unsafeClose())
      )
    )
  )

  const isIdle = () => waiting.size === 0 && retrying.size === 0 && unsettled === null

  const failEach = (writes: Iterable<QueuedWrite>, error: (operation: string) => Write) => {
    for (const write of writes) write.fail(Exit.fail(error(write.operation)))
  }

  const answerEach = (writes: ReadonlyArray<QueuedWrite>, { gone, stopRequested, sessions }: Wakeups) => {
    sessions.forEach(signals.signal)
    for (const { owner, sessionId } of gone) signals.signalGone(sessionId, owner)
    if (stopRequested) signals.signalStopRequests()
    for (const write of writes) write.answer()
  }

  const giveUp = ({ failure: { code }, writes }: UnsettledGroup) => {
    unsettled = null
    failEach(writes, (operation) => new OutcomeUnknown({ operation, code }))
  }

  /** Nothing can be written now, for a reason that is not in any waiting write. */
  const failAll = (error: (operation: string) => Write) => {
    if (unsettled !== null) giveUp(unsettled)
    const writes = [...retrying, ...waiting]
    retrying.clear()
    waiting.clear()
    failEach(writes, error)
  }

  /** The lock is held elsewhere: fails the writes that have waited for it too long. */
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
  const take = (queue: Set<QueuedWrite>): ReadonlyArray<QueuedWrite> => {
    const taken: Array<QueuedWrite> = []
    for (const write of queue) {
      if (taken.length === groupSize) write.blockedSince = null
      else {
        queue.delete(write)
        taken.push(write)
      }
    }
    return taken
  }

  /** Tries a failed group again without the write that failed. */
  const tryAgain = (writes: ReadonlyArray<QueuedWrite>, culprit: QueuedWrite | null, { code }: SqlFailure) => {
    for (const write of writes) {
      if (culprit !== null && write !== culprit) retrying.add(write)
      else failEach([write], (operation) => new StorageFailed({ operation, code }))
    }
  }

  const settled = ({ failure: { code }, wakeups, writes }: UnsettledGroup, verdict: "stored" | "not-stored") => {
    unsettled = null
    if (verdict === "stored") answerEach(writes, wakeups)
    else failEach(writes, (operation) => new StorageFailed({ operation, code }))
  }

  const done = (finish: () => void): Attempt => ({ busy: false, finish })
  const discard = (finish: () => void) => Effect.as(database.discard, done(finish))
  const rollBack = (writer: Writer, finish: () => void) =>
    GroupCommit.rollBack(writer) ? Effect.succeed(done(finish)) : discard(finish)

  /** Ends one group in the open transaction. */
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
    // A write that is tried again has not waited for the lane.
    if (!isolated) for (const { since } of writes) Metrics.writeWait.unsafeUpdate(elapsed() - since, [])
    const ending = GroupCommit.commit(writer, group, writes, isolated)
    switch (ending._tag) {
      case "Done":
        Metrics.writesPerCommit.unsafeUpdate(writes.length, [])
        return Effect.succeed(done(() => answerEach(writes, ending.wakeups)))
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

  /** A defect is a bug of ours or of the adapter: all waiting writes die of it, and the lane goes on. */
  const die = (cause: Cause.Cause<never>) =>
    Effect.map(database.discard, () => {
      const writes = [...begun, ...(unsettled?.writes ?? []), ...retrying, ...waiting]
      begun = []
      unsettled = null
      retrying.clear()
      waiting.clear()
      for (const write of writes) write.fail(Exit.failCause(cause))
    })

  const step = Effect.map(permit.withPermits(1)(attempt), ({ busy, finish }) => {
    begun = []
    finish()
    if (busy) Metrics.busyRetries.unsafeUpdate(1, [])
    return busy && !isIdle()
  })

  /** Commits the next group. Returns whether another process holds the lock. */
  const drain = Effect.suspend(() => {
    hold()
    return Effect.catchAllCause(step, (cause) => Effect.as(die(cause), false))
  })

  const handOver = () => {
    handedOver = true
    wake.unsafeOpen()
  }

  /** Drains in the caller's step until its write is answered, unless that is the drainer's to do. */
  const drainFor = (write: Pick<QueuedWrite, "isAnswered">): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (write.isAnswered || handedOver) return Effect.void
      if (isHeld()) return Effect.sync(handOver)
      return Effect.flatMap(drain, (busy) => (busy ? Effect.sync(handOver) : drainFor(write)))
    })

  const whileBusy = Schedule.whileInput(busySchedule, (busy: boolean) => busy)

  const drainer = Effect.gen(function* () {
    while (!closed || !isIdle()) {
      yield* wake.await
      if (!closed) yield* pause
      while (!isIdle()) {
        if (yield* drain) yield* Effect.scheduleFrom(drain, true, whileBusy)
        if (isHeld()) yield* pause
      }
      handedOver = false
      wake.unsafeClose()
    }
  })

  yield* Effect.forkScoped(noticeTurns)
  yield* Effect.acquireRelease(Effect.forkDaemon(drainer), (drainer) =>
    Effect.suspend(() => {
      closed = true
      wake.unsafeOpen()
      return Fiber.await(drainer)
    })
  )

  const writeAs = <A, E>(actor: Actor.Actor | null, operation: string, body: Body<A, E>): Effect.Effect<A, E | Write> =>
    Effect.uninterruptibleMask((restore) => {
      if (closed) return Effect.fail(new StorageFailed({ operation, code: "CLOSED" }))
      const write = new PendingWrite(operation, elapsed(), actor, body)
      hold()
      waiting.add(write)
      const drained = Effect.uninterruptible(drainFor(write))
      const outcome = Effect.yieldNow().pipe(Effect.zipRight(drained), Effect.zipRight(write.outcome))
      return Effect.catchAllCause(restore(outcome), (cause) => {
        const withdrawn = !Cause.isInterruptedOnly(cause) || waiting.delete(write) || retrying.delete(write)
        return withdrawn
          ? Effect.failCause(cause)
          : Effect.zipRight(Effect.exit(write.outcome), Effect.failCause(cause))
      })
    })

  return {
    write: (operation, body) => writeAs(null, operation, body),
    writeFor: (operation, body) => Effect.flatMap(Actor.Current, (actor) => writeAs(actor, operation, body))
  } satisfies Service
})

export const layer: Layer.Layer<WriteLane, never, Database | EventSignals | Ids> = Layer.scoped(WriteLane, make)
