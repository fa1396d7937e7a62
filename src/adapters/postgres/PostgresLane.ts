/**
 * The write lanes of PostgreSQL: some connections, each with a queue of its own. When a lane is free, the writes
 * waiting in its queue are committed as one group, in one transaction.
 *
 * A write is answered after its group's COMMIT and the signals to watchers. Failures are handled as in SQLite's lane:
 *
 * 1. A statement that fails ends the transaction, so the group is rolled back and its writes are tried again, each in a
 *    transaction of its own: an error then fails only its own write, and a constraint the second time.
 * 2. A lock that is not available, a deadlock, a connection that is lost before COMMIT: nothing is stored, and the
 *    writes are tried again, each by itself. A write that has waited for `busyMaxMillis` fails with `StorageBusy`, or
 *    with the code of the loss.
 * 3. A COMMIT that was not answered: on a new connection the lane waits until the transaction is over, and its mark
 *    decides. Writes that are not stored are tried again. If the mark cannot be looked up within `busyMaxMillis`, they
 *    fail with `OutcomeUnknown`.
 * 4. A newer version has migrated the schema: nothing is stored, and all writes are refused from then on.
 *
 * A write that is interrupted while it waits leaves the queue. Once its group has begun, its caller waits for the
 * outcome. Closing the lanes first commits the waiting writes.
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
import { Outdated } from "../../services/storage/Outdated.js"
import { busySchedule, type SqlFailure } from "../../services/storage/sql/Database.js"
import { type Body, PendingWrite, type QueuedWrite } from "../../services/storage/sql/lane/PendingWrite.js"
import type { LaterSql } from "../../services/storage/sql/lane/Program.js"
import type { Transaction, Wakeups } from "../../services/storage/sql/lane/Transaction.js"
import { type Subject, WriteLane } from "../../services/storage/sql/lane/WriteLane.js"
import type { Connection } from "./Connection.js"
import * as Group from "./Group.js"
import * as SchemaLock from "./SchemaLock.js"
import type { ServerClock } from "./ServerClock.js"

/** The most writes in one group. */
const groupSize = 512

/** The least time for one try to connect, in milliseconds. */
const leastConnectMillis = 1_000

/** How long a write that is tried again waits for a lock, in milliseconds, before it lets others go on. */
const retryLockMillis = 25

/** Marks have 48 bits: the upper half comes from the lane's id, the lower half counts its groups. */
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
  /** The writes that it blocks; null for all. */
  readonly writes: ReadonlyArray<LaneWrite> | null
  /** The error of a write that has waited for too long. */
  readonly error: (operation: string, waitedMillis: number) => Write
}

const failing = (code: string): Obstacle => ({
  writes: null,
  error: (operation) => new StorageFailed({ operation, code })
})

/** A lock blocks the writes that need it, a lost connection blocks all. */
const obstacleOf = ({ code, kind }: SqlFailure, writes: ReadonlyArray<LaneWrite> | null): Obstacle =>
  kind === "busy"
    ? { writes, error: (operation, waitedMillis) => new StorageBusy({ operation, waitedMillis }) }
    : failing(code)

const sessionsOf = (subject: Subject) => ("sessions" in subject ? subject.sessions : [])

/** Whether a write may succeed when it is tried again, because the failure was not its own. */
const isPassing = ({ kind }: SqlFailure): boolean => kind === "busy" || kind === "spoilt"

export interface Options {
  /** How many connections write. */
  readonly lanes: number
  /** Opens a new connection. */
  readonly connect: Effect.Effect<Connection, StorageUnusable | StorageFailed>
  readonly clock: ServerClock
  /** Where the database is, for messages. */
  readonly where: string
  /** Notifies other processes of a commit. */
  readonly announce: (wakeups: Wakeups) => void
}

/** Makes one lane, which queues a write and can take it out again while its group has not begun. */
const makeLane = ({
  announce,
  clock: serverClock,
  connect,
  where
}: Options): Effect.Effect<Lane, never, EventSignals | Ids | Scope.Scope> =>
  Effect.gen(function* () {
    const signals = yield* EventSignals
    const { busyMaxMillis } = yield* EngineConfig
    const { found } = yield* Outdated
    const id = yield* (yield* Ids).next("lane")
    const marks = (Hash.string(id) & 0xffffff) * marksOfLane
    const clock = yield* Effect.clock
    const elapsed = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    const wake = yield* Effect.makeLatch(false)

    const waiting = new Set<LaneWrite>()
    /** Writes to try again, each by itself. */
    const retrying = new Set<LaneWrite>()
    const conflicted = new WeakSet<LaneWrite>()
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

    /** Fails the writes that have been blocked for too long. */
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

    /** Queues writes to be tried again. Later writes of their sessions stay behind them. */
    const tryAgain = (writes: ReadonlyArray<LaneWrite>) => {
      const sessions = new Set(writes.flatMap(({ subject }) => sessionsOf(subject)))
      const later = [...retrying].filter(({ subject }) => sessionsOf(subject).some((id) => sessions.has(id)))
      for (const write of later) retrying.delete(write)
      for (const write of [...writes, ...later]) retrying.add(write)
    }

    let isRetry = false

    /** The next group: the waiting writes that need not come after a write that is tried again. */
    const free = (): ReadonlyArray<LaneWrite> => {
      const blocked = new Set([...retrying].flatMap(({ subject }) => sessionsOf(subject)))
      const isFree = ({ subject }: LaneWrite) => !sessionsOf(subject).some((sessionId) => blocked.has(sessionId))
      return (blocked.size === 0 ? [...waiting] : [...waiting].filter(isFree)).slice(0, groupSize)
    }

    /**
     * Takes a write to try again and a group of waiting writes in turn: a lock that is held for long blocks only its
     * session.
     */
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

    /** Finds out whether a group is stored. Returns what prevents that; null once it is decided. */
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

    /**
     * Whether these writes have not met a constraint before. Another engine may have stored the same row after a write
     * had looked for it, such as a session of that id: the next time the write finds it.
     */
    const isFirstConflict = ({ kind }: SqlFailure, writes: ReadonlyArray<LaneWrite>): boolean => {
      if (kind !== "constraint" || writes.some((write) => conflicted.has(write))) return false
      for (const write of writes) conflicted.add(write)
      return true
    }

    const finish = (writes: ReadonlyArray<LaneWrite>, mark: number, outcome: Group.Outcome<LaneWrite>) => {
      switch (outcome._tag) {
        case "Done":
          answerEach(writes, outcome.wakeups)
          return null
        case "Entangled":
          if (writes.length > 1) tryAgain(writes)
          // The write was refused, and its changes are rolled back.
          else writes.forEach((write) => write.answer())
          return null
        case "Outdated": {
          const refusal = SchemaLock.newer(where, outcome.version)
          found(refusal)
          failEach(writes, () => refusal)
          return null
        }
        case "CommitFailed":
          unsettled = { writes, mark, wakeups: outcome.wakeups, blockedSince: null }
          return obstacleOf(outcome.failure, null)
        case "Failed": {
          const { failure } = outcome
          if (writes.length > 1 || isPassing(failure) || isFirstConflict(failure, writes)) tryAgain(writes)
          else failEach(writes, ({ operation }) => new StorageFailed({ operation, code: failure.code }))
          // Which of several writes waited for the lock is unknown: trying each by itself will show it.
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
      // The lane itself cannot be interrupted, but a try to connect that takes too long must be.
      return Effect.interruptible(connect).pipe(
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

    /** Commits the next group. Returns what blocks writing; null if nothing does. */
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

    /** Tries again as long as writes wait and something blocks them; each obstacle uses up their time to wait. */
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
