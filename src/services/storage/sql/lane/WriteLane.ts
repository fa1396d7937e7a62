/**
 * The write lane: everything is written through it. Writes wait in one queue. Whoever drains the queue takes the
 * permit, then the waiting writes, and commits them as one group. The permit is held only while SQL runs: a body is a
 * program, in which nothing can be awaited. Meanwhile other work has its turn only between two pieces of a write with
 * many statements, and before the COMMIT of a long group.
 *
 * A caller that has queued its write lets all fibers that are ready queue theirs, then drains in its own step. It
 * leaves that to the drainer, a separate fiber, when another process holds the lock, or when writes have gone on for so
 * long without a turn of the event loop that other work must have one.
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
 * 4. COMMIT fails: the connection is closed, a new one opened, and the group's mark decides for the whole group. If the
 *    mark cannot be looked up within `busyMaxMillis`, the writes fail with `OutcomeUnknown`.
 *
 * Each group makes sure in its transaction that no newer version has migrated the database; else all writes are refused.
 *
 * A write that is interrupted while it waits leaves the queue. Once its group has begun, its caller waits for the
 * outcome. Closing the lane first commits the waiting writes.
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
import { Outdated } from "../../Outdated.js"
import * as GroupCommit from "./GroupCommit.js"
import { type Body, type QueuedWrite, PendingWrite } from "./PendingWrite.js"
import type { Wakeups } from "./Transaction.js"
import * as Metrics from "../../../Metrics.js"
import * as Stretch from "../../../Stretch.js"

/**
 * Which sessions a write changes, by their ids or by something that belongs to one. Where several lanes write, the rows
 * of these sessions are locked.
 */
export type Subject =
  { readonly sessions: ReadonlyArray<SessionId> } | { readonly run: RunId } | { readonly question: QuestionId }

export interface Service {
  /**
   * Commits what `body` writes. A refusal (left) undoes it, and so does a statement that fails. The body may run again,
   * after everything that it did was rolled back. `operation` is a verb for messages, such as "rename". What is written
   * is the engine's own work and has no actor.
   */
  readonly write: <A, E>(operation: string, subject: Subject, body: Body<A, E>) => Effect.Effect<A, E | Write>
  /** The same for a client's request: the change has the actor of the calling fiber. */
  readonly writeFor: <A, E>(operation: string, subject: Subject, body: Body<A, E>) => Effect.Effect<A, E | Write>
}

export class WriteLane extends Context.Tag("skein/WriteLane")<WriteLane, Service>() {}

/** The most writes in one group, and for how many milliseconds it takes in more: the rest goes into the next group. */
const groupSize = 512
const groupMillis = 8

/** A group of many writes begins only while the stretch is younger than this many milliseconds. */
const beforeMany = 4

/**
 * A group whose statements took this many milliseconds lets other work in before its COMMIT, which may take as long
 * again.
 */
const beforeCommit = 6

/**
 * How often the lane tries to get a lock that another process holds, each time after a turn of the event loop, before
 * it sleeps between tries: the lock is usually held for one commit, and the shortest sleep is longer.
 */
const triesAtOnce = 20

/** Pieces of a long write in one stretch. */
const piecesAtOnce = 8

/**
 * Callers that are answered before the lane checks whether other work must have a turn. What each does next runs right
 * away.
 */
const answeredAtOnce = 16

/** How often the lane checks that the path still leads to the open file, in milliseconds. */
const lookMillis = 20

/** The number of marks of one lane. A mark has 48 bits: 24 are the lane's, 24 count its groups. */
const marksOfLane = 2 ** 24

/** A group whose COMMIT failed. */
interface UnsettledGroup extends GroupCommit.FailedCommit {
  readonly writes: ReadonlyArray<QueuedWrite>
  readonly wakeups: Wakeups
  blockedSince: number | null
}

/** Gives callers their answers. */
type Answers = () => void

/**
 * The outcome of an attempt at the next group. The queues are already up to date; `finish` runs once the permit is
 * returned.
 */
interface Attempt {
  readonly busy: boolean
  readonly finish: Answers
}

const nothing: Answers = () => {}
const both =
  (first: Answers, second: Answers): Answers =>
  () => {
    first()
    second()
  }

const make = Effect.gen(function* () {
  const database = yield* Database
  const signals = yield* EventSignals
  const { busyMaxMillis } = yield* EngineConfig
  const { found } = yield* Outdated
  const lane = yield* (yield* Ids).next("lane")
  const marks = (Hash.string(lane) & 0xffffff) * marksOfLane
  const permit = yield* Effect.makeSemaphore(1)
  const clock = yield* Effect.clock
  const stretch = yield* Stretch.Stretch
  const nextPiece = stretch.oneOf(piecesAtOnce)
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

  /** How old the stretch may be when the next group begins; undefined for the default. */
  const before = () => (waiting.size > answeredAtOnce ? beforeMany : undefined)
  const hasWrites = () => waiting.size > 0 || retrying.size > 0 || unsettled !== null
  const isIdle = () => unanswered.length === 0 && !hasWrites()
  /** The same, once no caller holds the permit. */
  const isAtRest = permit.withPermits(1)(Effect.sync(isIdle))

  const handOver = () => {
    handedOver = true
    wake.unsafeOpen()
  }

  /**
   * Answers callers: a few immediately, more of them in portions by the drainer, after those that already wait for it.
   */
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

  const failEach =
    (writes: ReadonlyArray<QueuedWrite>, error: (write: QueuedWrite) => Write): Answers =>
    () =>
      answer(writes, (write) => write.fail(Exit.fail(error(write))))

  const answerEach =
    (writes: ReadonlyArray<QueuedWrite>, { gone, stopRequested, sessions }: Wakeups): Answers =>
    () => {
      sessions.forEach(signals.signal)
      for (const { owner, sessionId } of gone) signals.signalGone(sessionId, owner)
      if (stopRequested) signals.signalStopRequests()
      answer(writes, (write) => write.answer())
    }

  const giveUp = ({ failure: { code }, writes }: UnsettledGroup): Answers => {
    unsettled = null
    return failEach(writes, ({ operation }) => new OutcomeUnknown({ operation, code }))
  }

  /** Fails all writes: nothing can be written now, for a reason that lies in none of them. */
  const failAll = (error: (operation: string) => Write): Answers => {
    const failUnsettled = unsettled === null ? nothing : giveUp(unsettled)
    const writes = [...retrying, ...waiting]
    retrying.clear()
    waiting.clear()
    return both(
      failUnsettled,
      failEach(writes, ({ operation }) => error(operation))
    )
  }

  /** The lock is held elsewhere: fails the writes that have waited for it too long. */
  const expire = (now: number): Answers => {
    const isExpired = (blocked: { blockedSince: number | null }) =>
      now - (blocked.blockedSince ??= now) >= busyMaxMillis
    const failUnsettled = unsettled !== null && isExpired(unsettled) ? giveUp(unsettled) : nothing
    const expired = [...retrying, ...waiting].filter(isExpired)
    for (const write of expired) if (!retrying.delete(write)) waiting.delete(write)
    const fail = failEach(expired, ({ blockedSince, operation }) => {
      return new StorageBusy({ operation, waitedMillis: now - (blockedSince ?? now) })
    })
    return both(failUnsettled, fail)
  }

  /** Yields the writes of the next group, as long as there is time. Each leaves its queue when it begins. */
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
  const tryAgain = (writes: ReadonlyArray<QueuedWrite>, culprit: QueuedWrite | null, { code }: SqlFailure): Answers => {
    if (culprit !== null) for (const write of writes) if (write !== culprit) retrying.add(write)
    return failEach(culprit === null ? writes : [culprit], ({ operation }) => new StorageFailed({ operation, code }))
  }

  const settled = (
    { failure: { code }, wakeups, writes }: UnsettledGroup,
    verdict: "stored" | "not-stored"
  ): Answers => {
    unsettled = null
    return verdict === "stored"
      ? answerEach(writes, wakeups)
      : failEach(writes, ({ operation }) => new StorageFailed({ operation, code }))
  }

  const done = (finish: Answers): Attempt => ({ busy: false, finish })
  const discard = (finish: Answers) => Effect.as(database.discard, done(finish))
  const rollBack = (writer: Writer, finish: Answers) =>
    GroupCommit.rollBack(writer) ? Effect.succeed(done(finish)) : discard(finish)

  const commit = (
    writer: Writer,
    group: GroupCommit.Group,
    writes: ReadonlyArray<QueuedWrite>,
    ready: GroupCommit.Ready
  ) => {
    const failed = GroupCommit.commit(writer, group, ready)
    if (failed !== null) {
      unsettled = { ...failed, wakeups: ready.wakeups, writes, blockedSince: null }
      return discard(nothing)
    }
    Metrics.writesPerCommit.unsafeUpdate(writes.length, [])
    return Effect.succeed(done(answerEach(writes, ready.wakeups)))
  }

  /** Ends one group in the open transaction. */
  const advance = (writer: Writer, now: number): Effect.Effect<Attempt> => {
    const group: GroupCommit.Group = { lane, mark: marks + (++groups % marksOfLane), now, elapsed }

    if (unsettled !== null) {
      const failed = unsettled
      const verdict = GroupCommit.settle(writer, group, failed)
      return verdict === "unknown" ? discard(giveUp(failed)) : Effect.succeed(done(settled(failed, verdict)))
    }

    const isolated = retrying.size > 0
    const writes: Array<QueuedWrite> = (begun = [])
    const from = elapsed()
    const ended = (ran: GroupCommit.Ran<QueuedWrite>): Effect.Effect<Attempt> => {
      // A write that is tried again was not waiting for the lane.
      if (!isolated) for (const { since } of writes) Metrics.writeWait.unsafeUpdate(from - since, [])
      switch (ran._tag) {
        case "Ready":
          return elapsed() - from < beforeCommit
            ? commit(writer, group, writes, ran)
            : Effect.flatMap(stretch.turn, () => commit(writer, group, writes, ran))
        case "Entangled":
          writes.forEach((write) => retrying.add(write))
          return rollBack(writer, nothing)
        case "Failed": {
          const finish = tryAgain(writes, ran.culprit, ran.failure)
          return ran.failure.kind === "spoilt" ? discard(finish) : rollBack(writer, finish)
        }
      }
    }

    const pieces = GroupCommit.run(writer, group, take(isolated ? retrying : waiting, writes, from), isolated)
    const first = pieces.next()
    // A few statements run and are committed in one step, so that nothing can come between them.
    return first.done === true
      ? ended(first.value)
      : Effect.flatMap(Effect.zipRight(nextPiece, Stretch.inPieces(pieces, nextPiece)), ended)
  }

  const attempt = Effect.suspend(() => {
    stretch.note()
    if (!hasWrites()) return Effect.succeed(done(nothing))
    const begun = elapsed()
    if (lookedAt === null || begun - lookedAt >= lookMillis) {
      replaced = database.isReplaced()
      lookedAt = begun
    }
    if (replaced) {
      const error = new StorageUnusable({ path: database.path, reason: "replaced", detail: "" })
      return Effect.succeed(done(failAll(() => error)))
    }
    const busy = (): Attempt => ({ busy: true, finish: expire(Math.trunc(begun)) })
    return Effect.matchEffect(database.writer, {
      onSuccess: (writer) => {
        const refusal = GroupCommit.begin(writer, database)
        if (refusal === null) {
          return Effect.map(advance(writer, clock.unsafeCurrentTimeMillis()), (attempt) => {
            Metrics.writeHold.unsafeUpdate(elapsed() - begun, [])
            return attempt
          })
        }
        if (refusal._tag === "StorageUnusable") {
          found(refusal)
          return rollBack(
            writer,
            failAll(() => refusal)
          )
        }
        return refusal.kind === "busy"
          ? Effect.succeed(busy())
          : discard(failAll((operation) => new StorageFailed({ operation, code: refusal.code })))
      },
      onFailure: (error) =>
        Effect.succeed(
          error._tag === "StorageUnusable" && error.reason === "locked" ? busy() : done(failAll(() => error))
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
      return done(() => answer(writes, (write) => write.fail(Exit.failCause(cause))))
    })

  const attempted = Effect.map(Effect.catchAllCause(attempt, die), (attempt) => {
    begun = []
    return attempt
  })

  /** Commits the next group. Returns whether another process holds the lock and there is nothing to do but wait. */
  const drain = Effect.map(permit.withPermits(1)(attempted), ({ busy, finish }) => {
    finish()
    if (busy) Metrics.busyRetries.unsafeUpdate(1, [])
    return busy && hasWrites() && unanswered.length === 0
  })

  /** Drains in the caller's step until its write is answered, unless the drainer must do that. */
  const drainFor = (write: Pick<QueuedWrite, "isAnswered">): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (write.isAnswered || handedOver) return Effect.void
      if (stretch.isLong(before())) return Effect.sync(handOver)
      return Effect.flatMap(drain, (busy) => (busy ? Effect.sync(handOver) : drainFor(write)))
    })

  /** Tries again after a turn of the event loop, at most `tries` times. Returns whether the lock is still held then. */
  const drainSoon = (tries: number): Effect.Effect<boolean> =>
    tries === 0
      ? Effect.succeed(true)
      : Effect.flatMap(Effect.zipRight(stretch.turn, drain), (busy) =>
          busy ? drainSoon(tries - 1) : Effect.succeed(false)
        )

  const whileBusy = Schedule.whileInput(busySchedule, (busy: boolean) => busy)
  const drainPatiently = Effect.flatMap(drainSoon(triesAtOnce), (busy) =>
    busy ? Effect.scheduleFrom(drain, true, whileBusy) : Effect.void
  )

  const drainer = Effect.gen(function* () {
    while (!closed || !(yield* isAtRest)) {
      if (!closed) yield* wake.await
      if (!closed) yield* unanswered.length === 0 ? stretch.turn : stretch.breathe()
      while (!isIdle()) {
        yield* answerAll
        if (yield* drain) yield* drainPatiently
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
