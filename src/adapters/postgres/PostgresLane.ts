/**
 * The write lanes of PostgreSQL: some connections, each with a queue of its own. Whoever waits in a queue when its lane is
 * free is committed as one group, in one transaction.
 *
 * A write is answered after its group's COMMIT and the signals to watchers. What fails is decided as in SQLite's lane:
 *
 * 1. A statement that fails ends the transaction, so the group is rolled back and its writes are tried again, each in a
 *    transaction of its own: a constraint or an error then fails its write alone.
 * 2. A lock that cannot be had, a deadlock, a connection that is lost before COMMIT: nothing is stored, and the writes are
 *    tried again, each by itself. What has waited for `busyMaxMillis` fails with `StorageBusy`, or with the loss's code.
 * 3. A COMMIT that was not answered: on a new connection the lane waits until the transaction is over, and its mark
 *    decides. What is not stored is tried again. What cannot be looked up within `busyMaxMillis` is `OutcomeUnknown`.
 *
 * A write that is interrupted while it waits leaves the queue. Once its group has begun, its caller waits for the outcome.
 * Closing the lanes first writes what waits.
 */
import { Cause, Effect, Exit, Fiber, Hash, Layer, type Scope } from "effect"
import {
  OutcomeUnknown,
  StorageBusy,
  StorageFailed,
  type StorageUnusable,
  type Write
} from "../../domain/SkeinError.js"
import * as Actor from "../../services/Actor.js"
import { EngineConfig } from "../../services/EngineConfig.js"
import { Ids } from "../../services/Ids.js"
import * as Metrics from "../../services/Metrics.js"
import { EventSignals } from "../../services/storage/EventSignals.js"
import { busySchedule, type SqlFailure } from "../../services/storage/sql/Database.js"
import { type Body, PendingWrite, type QueuedWrite } from "../../services/storage/sql/lane/PendingWrite.js"
import type { LaterSql } from "../../services/storage/sql/lane/Program.js"
import type { Transaction, Wakeups } from "../../services/storage/sql/lane/Transaction.js"
import { type Subject, WriteLane } from "../../services/storage/sql/lane/WriteLane.js"
import type { Connection } from "./Connection.js"
import * as Group from "./Group.js"
import type { ServerClock } from "./ServerClock.js"

/** Most writes of one group. */
const groupSize = 512

/** A try to connect has this long at least, in milliseconds. */
const leastConnectMillis = 1_000

/** A write that is tried again waits so long for a lock, in milliseconds, before it lets others go on. */
const retryLockMillis = 25

/** Marks are numbers of 48 bits, half of them the lane's own. */
const marksOfLane = 2 ** 24

interface LaneWrite extends Group.Member, QueuedWrite {
  readonly runLater: (sql: LaterSql, transaction: Transaction) => Promise<boolean>
}

/** A group whose COMMIT was not answered. */
interface Unsettled {
  readonly writes: ReadonlyArray<LaneWrite>
  readonly mark: number
  readonly wakeups: Wakeups
  blockedSince: number | null
}

/** Why writes cannot be stored now. */
interface Obstacle {
  /** Those that it is in the way of; null for all. */
  readonly writes: ReadonlyArray<LaneWrite> | null
  /** What they fail with, once they have waited for too long. */
  readonly error: (operation: string, waitedMillis: number) => Write
}

const failing = (code: string): Obstacle => ({
  writes: null,
  error: (operation) => new StorageFailed({ operation, code })
})

/** A lock is in the way of those that need it, a lost connection in that of all. */
const obstacleOf = ({ code, kind }: SqlFailure, writes: ReadonlyArray<LaneWrite> | null): Obstacle =>
  kind === "busy"
    ? { writes, error: (operation, waitedMillis) => new StorageBusy({ operation, waitedMillis }) }
    : failing(code)

const sessionsOf = (subject: Subject) => ("sessions" in subject ? subject.sessions : [])

/** Whether a write may succeed when it is tried again: it is not what has failed. */
const isPassing = ({ kind }: SqlFailure): boolean => kind === "busy" || kind === "spoilt"

export interface Options {
  /** How many connections write. */
  readonly lanes: number
  /** Connects once more. */
  readonly connect: Effect.Effect<Connection, StorageUnusable | StorageFailed>
  readonly clock: ServerClock
  /** Tells other processes of what was committed. */
  readonly announce: (wakeups: Wakeups) => void
}

/** One lane. Returns how a write is queued, and taken out again if its group has not begun. */
const makeLane = ({
  announce,
  clock: serverClock,
  connect
}: Options): Effect.Effect<Lane, never, EventSignals | Ids | Scope.Scope> =>
  Effect.gen(function* () {
    const signals = yield* EventSignals
    const { busyMaxMillis } = yield* EngineConfig
    const id = yield* (yield* Ids).next("lane")
    const marks = (Hash.string(id) & 0xffffff) * marksOfLane
    const clock = yield* Effect.clock
    const elapsed = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    const wake = yield* Effect.makeLatch(false)

    const waiting = new Set<LaneWrite>()
    /** Each is tried by itself. */
    const retrying = new Set<LaneWrite>()
    let begun: ReadonlyArray<LaneWrite> = []
    let unsettled: Unsettled | null = null
    let connection: Connection | null = null
    let groups = 0
    let closed = false

    const isIdle = () => waiting.size === 0 && retrying.size === 0 && unsettled === null

    const answerEach = (writes: ReadonlyArray<LaneWrite>, wakeups: Wakeups) => {
      wakeups.sessions.forEach(signals.signal)
      for (const { owner, sessionId } of wakeups.gone) signals.signalGone(sessionId, owner)
      if (wakeups.stopRequested) signals.signalStopRequests()
      announce(wakeups)
      for (const write of writes) write.answer()
    }

    const failEach = (writes: ReadonlyArray<LaneWrite>, error: (write: LaneWrite) => Write) =>
      writes.forEach((write) => write.fail(Exit.fail(error(write))))

    /** Fails those that something has been in the way of for too long. */
    const expire = ({ error, writes: blocked }: Obstacle) => {
      const now = Math.trunc(elapsed())
      const isExpired = (blocked: { blockedSince: number | null }) =>
        now - (blocked.blockedSince ??= now) >= busyMaxMillis
      if (unsettled !== null && isExpired(unsettled)) {
        const { writes } = unsettled
        unsettled = null
        failEach(writes, ({ operation }) => new OutcomeUnknown({ operation, code: "COMMIT" }))
      }
      for (const queue of [retrying, waiting]) {
        for (const write of queue) {
          if ((blocked !== null && !blocked.includes(write)) || !isExpired(write)) continue
          queue.delete(write)
          write.fail(Exit.fail(error(write.operation, now - (write.blockedSince ?? now))))
        }
      }
    }

    /** Those of its sessions that came after a write stay behind it. */
    const tryAgain = (writes: ReadonlyArray<LaneWrite>) => {
      const sessions = new Set(writes.flatMap(({ subject }) => sessionsOf(subject)))
      const later = [...retrying].filter(({ subject }) => sessionsOf(subject).some((id) => sessions.has(id)))
      for (const write of later) retrying.delete(write)
      for (const write of [...writes, ...later]) retrying.add(write)
    }

    let isRetry = false

    /** Those that wait and need not come after one that is tried again, as the next group. */
    const free = (): ReadonlyArray<LaneWrite> => {
      const blocked = new Set([...retrying].flatMap(({ subject }) => sessionsOf(subject)))
      const isFree = ({ subject }: LaneWrite) => !sessionsOf(subject).some((sessionId) => blocked.has(sessionId))
      return (blocked.size === 0 ? [...waiting] : [...waiting].filter(isFree)).slice(0, groupSize)
    }

    /** One that is tried again, and then those that wait: a lock that is held for long is in the way of its session alone. */
    const take = (): ReadonlyArray<LaneWrite> => {
      const [alone] = retrying
      const group = alone === undefined || isRetry ? free() : []
      isRetry = group.length === 0
      const taken = alone === undefined || group.length > 0 ? group : [alone]
      for (const write of taken) {
        retrying.delete(write)
        waiting.delete(write)
      }
      return taken
    }

    const nextMark = () => ({ lane: id, mark: marks + (++groups % marksOfLane), now: serverClock.now() })

    /** Returns what is in the way; null when it is decided. */
    const settle = (connection: Connection, group: Unsettled): Effect.Effect<Obstacle | null> =>
      Effect.promise(async () => {
        try {
          const isStored = await Group.isStored(connection, { ...nextMark(), mark: group.mark })
          unsettled = null
          if (isStored) answerEach(group.writes, group.wakeups)
          else tryAgain(group.writes)
          return null
        } catch (thrown) {
          return obstacleOf(Group.failureOf(thrown), null)
        }
      })

    const finish = (writes: ReadonlyArray<LaneWrite>, mark: number, outcome: Group.Outcome<LaneWrite>) => {
      switch (outcome._tag) {
        case "Done":
          answerEach(writes, outcome.wakeups)
          return null
        case "Entangled":
          if (writes.length > 1) tryAgain(writes)
          // It was refused, and what it had changed is rolled back.
          else writes.forEach((write) => write.answer())
          return null
        case "CommitFailed":
          unsettled = { writes, mark, wakeups: outcome.wakeups, blockedSince: null }
          return obstacleOf(outcome.failure, null)
        case "Failed": {
          const { failure } = outcome
          if (writes.length > 1 || isPassing(failure)) tryAgain(writes)
          else failEach(writes, ({ operation }) => new StorageFailed({ operation, code: failure.code }))
          // Of several it is not known who waited for the lock: each will tell by itself.
          const isShared = writes.length > 1 && failure.kind === "busy"
          return isPassing(failure) && !isShared ? obstacleOf(failure, writes) : null
        }
      }
    }

    const writeNext = (connection: Connection): Effect.Effect<Obstacle | null> =>
      Effect.suspend(() => {
        const isFirst = retrying.size === 0
        const members = (begun = take())
        const began = elapsed()
        if (isFirst) for (const { since } of members) Metrics.writeWait.unsafeUpdate(began - since, [])
        const lockMillis = isRetry ? retryLockMillis : null
        const group = { ...nextMark(), members, lockMillis, clock: serverClock }
        return Effect.map(
          Effect.promise(() => Group.commit(connection, group)),
          (outcome) => {
            begun = []
            Metrics.writeHold.unsafeUpdate(elapsed() - began, [])
            if (outcome._tag === "Done") Metrics.writesPerCommit.unsafeUpdate(members.length, [])
            return finish(members, group.mark, outcome)
          }
        )
      })

    const connected: Effect.Effect<Connection, StorageUnusable | StorageFailed> = Effect.suspend(() => {
      if (connection?.isOpen() === true) return Effect.succeed(connection)
      return connect.pipe(
        Effect.timeoutFail({
          duration: Math.max(busyMaxMillis, leastConnectMillis),
          onTimeout: () => new StorageFailed({ operation: "connect to the database", code: "ETIMEDOUT" })
        }),
        Effect.tap((made) =>
          Effect.sync(() => {
            connection = made
            Group.removeOldMarks(made, serverClock.now())
          })
        )
      )
    })

    /** Commits the next group. Returns what is in the way of writing. */
    const step: Effect.Effect<Obstacle | null> = Effect.matchEffect(connected, {
      onSuccess: (connection) =>
        Effect.suspend(() => (unsettled === null ? writeNext(connection) : settle(connection, unsettled))),
      onFailure: (error) =>
        Effect.succeed(error._tag === "StorageFailed" ? failing(error.code) : { writes: null, error: () => error })
    })

    /** A defect is a bug of ours: all waiting writes die of it, and the lane goes on with a new connection. */
    const die = (cause: Cause.Cause<never>) =>
      Effect.sync(() => {
        const writes = [...begun, ...(unsettled?.writes ?? []), ...retrying, ...waiting]
        begun = []
        unsettled = null
        retrying.clear()
        waiting.clear()
        const broken = connection
        connection = null
        for (const write of writes) write.fail(Exit.failCause(cause))
        return broken
      }).pipe(Effect.flatMap((broken) => (broken === null ? Effect.void : Effect.promise(broken.close))))

    const drain = Effect.catchAllCause(step, (cause) => Effect.as(die(cause), null))

    /** Tries as long as something is in the way and writes wait; each obstacle counts against what waits. */
    const drained = Effect.gen(function* () {
      const obstacle = yield* drain
      if (obstacle === null) return
      Metrics.busyRetries.unsafeUpdate(1, [])
      expire(obstacle)
      if (!isIdle()) return yield* Effect.fail("blocked" as const)
    }).pipe(Effect.retry(busySchedule), Effect.orDie)

    const drainer = Effect.gen(function* () {
      while (!closed || !isIdle()) {
        yield* wake.await
        while (!isIdle()) yield* drained
        if (!closed) wake.unsafeClose()
      }
    })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => (connection === null ? Effect.void : Effect.promise(connection.close)))
    )
    yield* Effect.acquireRelease(Effect.forkDaemon(drainer), (drainer) =>
      Effect.suspend(() => {
        closed = true
        wake.unsafeOpen()
        return Fiber.await(drainer)
      })
    )

    return {
      isClosed: () => closed,
      add: (write) => {
        waiting.add(write)
        wake.unsafeOpen()
      },
      remove: (write) => waiting.delete(write) || retrying.delete(write)
    }
  })

interface Lane {
  readonly isClosed: () => boolean
  readonly add: (write: LaneWrite) => void
  /** Takes a write out of the queue. Returns whether it was there. */
  readonly remove: (write: LaneWrite) => boolean
}

/** Writes of one session use one lane, so that they do not wait for each other's locks. */
const keyOf = (subject: Subject): string =>
  "sessions" in subject ? (subject.sessions[0] ?? "") : "run" in subject ? subject.run : subject.question

class SubjectWrite<A, E> extends PendingWrite<A, E> {
  constructor(
    operation: string,
    readonly subject: Subject,
    since: number,
    actor: Actor.Actor | null,
    body: Body<A, E>
  ) {
    super(operation, since, actor, body)
  }
}

const make = (options: Options) =>
  Effect.gen(function* () {
    const lanes = yield* Effect.replicateEffect(makeLane(options), options.lanes)
    const clock = yield* Effect.clock
    const elapsed = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6

    const writeAs = <A, E>(
      actor: Actor.Actor | null,
      operation: string,
      subject: Subject,
      body: Body<A, E>
    ): Effect.Effect<A, E | Write> =>
      Effect.uninterruptibleMask((restore) => {
        const lane = lanes[Math.abs(Hash.string(keyOf(subject))) % lanes.length]
        if (lane === undefined || lane.isClosed()) return Effect.fail(new StorageFailed({ operation, code: "CLOSED" }))
        const write = new SubjectWrite(operation, subject, elapsed(), actor, body)
        lane.add(write)
        return Effect.catchAllCause(restore(write.outcome), (cause) => {
          const withdrawn = !Cause.isInterruptedOnly(cause) || lane.remove(write)
          return withdrawn
            ? Effect.failCause(cause)
            : Effect.zipRight(Effect.exit(write.outcome), Effect.failCause(cause))
        })
      })

    return WriteLane.of({
      write: (operation, subject, body) => writeAs(null, operation, subject, body),
      writeFor: (operation, subject, body) =>
        Effect.flatMap(Actor.Current, (actor) => writeAs(actor, operation, subject, body))
    })
  })

export const layer = (options: Options): Layer.Layer<WriteLane, never, EventSignals | Ids> =>
  Layer.scoped(WriteLane, make(options))
