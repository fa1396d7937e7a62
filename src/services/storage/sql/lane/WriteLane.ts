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
 * answered write is durable and can be read. The callers of a large group are answered in portions, between which other
 * work has its turn; the next group begins when all of them are answered.
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
import type { QuestionId } from "../../../../domain/Permission.js"
import type { RunId } from "../../../../domain/Run.js"
import type { SessionId } from "../../../../domain/Session.js"
import {
  OutcomeUnknown,
  StorageBusy,
  StorageFailed,
  StorageUnusable,
  type Write
} from "../../../../domain/SkeinError.js"
import { busySchedule, Database, type SqlFailure, type Writer } from "../Database.js"
import * as Actor from "../../../Actor.js"
import { EngineConfig } from "../../../EngineConfig.js"
import { EventSignals } from "../../EventSignals.js"
import { Ids } from "../../../Ids.js"
import * as GroupCommit from "./GroupCommit.js"
import { type Body, type QueuedWrite, PendingWrite } from "./PendingWrite.js"
import type { Wakeups } from "./Transaction.js"
import * as Metrics from "../../../Metrics.js"
import * as Stretch from "../../../Stretch.js"

/** Which sessions a write changes, by their ids or by what belongs to one. Where several lanes write, their rows are locked. */
export type Subject =
  { readonly sessions: ReadonlyArray<SessionId> } | { readonly run: RunId } | { readonly question: QuestionId }

export interface Service {
  /**
   * Commits what `body` writes. A refusal (left) undoes it, and so does a statement that fails. The body may run
   * again, after everything that it did was rolled back. `operation` is a verb for messages, such as "rename". What is
   * written is the engine's own work, and nobody's.
   */
  readonly write: <A, E>(operation: string, subject: Subject, body: Body<A, E>) => Effect.Effect<A, E | Write>
  /** The same for what a client asks for: it is its fiber's actor's. */
  readonly writeFor: <A, E>(operation: string, subject: Subject, body: Body<A, E>) => Effect.Effect<A, E | Write>
}

export class WriteLane extends Context.Tag("skein/WriteLane")<WriteLane, Service>() {}

/** Most writes of one group, and for how many milliseconds it takes more of them: what is left goes into the next. */
const groupSize = 512
const groupMillis = 8

/** A group of many writes begins only before a stretch has gone on for so many milliseconds. */
const beforeMany = 4

/** Callers that are answered before the lane looks whether others must have a turn. What each does then comes at once. */
const answeredAtOnce = 16

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
  const stretch = yield* Stretch.Stretch
  const elapsed = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
  const wake = yield* Effect.makeLatch(false)

  const waiting = new Set<QueuedWrite>()
  const retrying = new Set<QueuedWrite>()
  let begun: ReadonlyArray<QueuedWrite> = []
  let unsettled: UnsettledGroup | null = null
  /** Answers to callers whose writes are over, in the order in which they are given. */
  let unanswered: ReadonlyArray<() => void> = []
  let groups = 0
  let closed = false
  /** Whether the drainer has the lane, until it is idle. */
  let handedOver = false
  let replaced = false
  let lookedAt: number | null = null

  /** For how long a stretch may have gone on when the next group begins. */
  const before = () => (waiting.size > answeredAtOnce ? beforeMany : undefined)
  const hasWrites = () => waiting.size > 0 || retrying.size > 0 || unsettled !== null
  const isIdle = () => unanswered.length === 0 && !hasWrites()

  const handOver = () => {
    handedOver = true
    wake.unsafeOpen()
  }

  /** Answers callers: few at once, more of them in portions by the drainer, after those that wait for it already. */
  const answer = (writes: ReadonlyArray<QueuedWrite>, one: (write: QueuedWrite) => void) => {
    if (unanswered.length === 0 && writes.length <= answeredAtOnce) return writes.forEach(one)
    unanswered = [...unanswered, ...writes.map((write) => () => one(write))]
    handOver()
  }

  const answerSome = Effect.sync(() => {
    const next = unanswered.slice(0, answeredAtOnce)
    unanswered = unanswered.slice(answeredAtOnce)
    for (const one of next) one()
  })

  /** Nothing is committed meanwhile: what callers write next is one group. */
  const answerAll = Effect.whileLoop({
    while: () => unanswered.length > 0,
    body: () => Effect.zipRight(Effect.zipRight(answerSome, Effect.yieldNow()), stretch.breathe()),
    step: () => undefined
  })

  const failEach = (writes: ReadonlyArray<QueuedWrite>, error: (write: QueuedWrite) => Write) =>
    answer(writes, (write) => write.fail(Exit.fail(error(write))))

  const answerEach = (writes: ReadonlyArray<QueuedWrite>, { gone, stopRequested, sessions }: Wakeups) => {
    sessions.forEach(signals.signal)
    for (const { owner, sessionId } of gone) signals.signalGone(sessionId, owner)
    if (stopRequested) signals.signalStopRequests()
    answer(writes, (write) => write.answer())
  }

  const giveUp = ({ failure: { code }, writes }: UnsettledGroup) => {
    unsettled = null
    failEach(writes, ({ operation }) => new OutcomeUnknown({ operation, code }))
  }

  /** Nothing can be written now, for a reason that is not in any waiting write. */
  const failAll = (error: (operation: string) => Write) => {
    if (unsettled !== null) giveUp(unsettled)
    const writes = [...retrying, ...waiting]
    retrying.clear()
    waiting.clear()
    failEach(writes, ({ operation }) => error(operation))
  }

  /** The lock is held elsewhere: fails the writes that have waited for it too long. */
  const expire = (now: number) => {
    const isExpired = (blocked: { blockedSince: number | null }) =>
      now - (blocked.blockedSince ??= now) >= busyMaxMillis
    if (unsettled !== null && isExpired(unsettled)) giveUp(unsettled)
    const expired = [...retrying, ...waiting].filter(isExpired)
    for (const write of expired) if (!retrying.delete(write)) waiting.delete(write)
    failEach(expired, ({ blockedSince, operation }) => {
      return new StorageBusy({ operation, waitedMillis: now - (blockedSince ?? now) })
    })
  }

  /** The writes of the next group. Each leaves its queue when it begins, as long as there is time. */
  const take = function* (queue: Set<QueuedWrite>, taken: Array<QueuedWrite>, from: number) {
    try {
      for (const write of queue) {
        if (taken.length === groupSize || (taken.length > 0 && elapsed() - from >= groupMillis)) break
        queue.delete(write)
        taken.push(write)
        yield write
      }
    } finally {
      for (const write of queue) write.blockedSince = null
    }
  }

  /** Tries a failed group again without the write that failed. */
  const tryAgain = (writes: ReadonlyArray<QueuedWrite>, culprit: QueuedWrite | null, { code }: SqlFailure) => {
    if (culprit !== null) for (const write of writes) if (write !== culprit) retrying.add(write)
    failEach(culprit === null ? writes : [culprit], ({ operation }) => new StorageFailed({ operation, code }))
  }

  const settled = ({ failure: { code }, wakeups, writes }: UnsettledGroup, verdict: "stored" | "not-stored") => {
    unsettled = null
    if (verdict === "stored") answerEach(writes, wakeups)
    else failEach(writes, ({ operation }) => new StorageFailed({ operation, code }))
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
    const writes: Array<QueuedWrite> = (begun = [])
    const from = elapsed()
    const ending = GroupCommit.commit(writer, group, take(isolated ? retrying : waiting, writes, from), isolated)
    // A write that is tried again has not waited for the lane.
    if (!isolated) for (const { since } of writes) Metrics.writeWait.unsafeUpdate(from - since, [])
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
    if (!hasWrites()) return Effect.succeed(done(() => {}))
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
      answer(writes, (write) => write.fail(Exit.failCause(cause)))
    })

  const step = Effect.map(permit.withPermits(1)(attempt), ({ busy, finish }) => {
    begun = []
    finish()
    if (busy) Metrics.busyRetries.unsafeUpdate(1, [])
    return busy && hasWrites() && unanswered.length === 0
  })

  /** Commits the next group. Returns whether another process holds the lock, and there is nothing to do but to wait. */
  const drain = Effect.suspend(() => {
    stretch.note()
    return Effect.catchAllCause(step, (cause) => Effect.as(die(cause), false))
  })

  /** Drains in the caller's step until its write is answered, unless that is the drainer's to do. */
  const drainFor = (write: Pick<QueuedWrite, "isAnswered">): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (write.isAnswered || handedOver) return Effect.void
      if (stretch.isLong(before())) return Effect.sync(handOver)
      return Effect.flatMap(drain, (busy) => (busy ? Effect.sync(handOver) : drainFor(write)))
    })

  const whileBusy = Schedule.whileInput(busySchedule, (busy: boolean) => busy)

  const drainer = Effect.gen(function* () {
    while (!closed || !isIdle()) {
      yield* wake.await
      if (!closed) yield* unanswered.length === 0 ? stretch.turn : stretch.breathe()
      while (!isIdle()) {
        yield* answerAll
        if (yield* drain) yield* Effect.scheduleFrom(drain, true, whileBusy)
        yield* stretch.breathe(before())
      }
      handedOver = false
      wake.unsafeClose()
    }
  })

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
      stretch.note()
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
    write: (operation, _, body) => writeAs(null, operation, body),
    writeFor: (operation, _, body) => Effect.flatMap(Actor.Current, (actor) => writeAs(actor, operation, body))
  } satisfies Service
})

export const layer: Layer.Layer<WriteLane, never, Database | EventSignals | Ids> = Layer.scoped(WriteLane, make).pipe(
  Layer.provide(Stretch.layer)
)
