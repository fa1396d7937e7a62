/**
 * Notifies other processes of commits made here, and wakes the watchers of this process when others notify.
 * Notifications are hints: rows are the truth, and a woken watcher reads them.
 *
 * - Notifying is never part of a write, because then all commits of the database would wait for each other. It comes
 *   afterwards, on one connection. While one notification is on its way, later changes are collected for the next.
 * - A process misses notifications that are sent while it does not listen. So it first listens, and then all of its
 *   watchers look; the same happens after each loss of its connection. All watchers also look every five seconds.
 * - Its own notifications wake nobody here: the lane has already signalled.
 */
import { Effect, Either, type Redacted, Schema } from "effect"
import type { Scope } from "effect"
import { Owner, SessionId } from "../../domain/Session.js"
import { EventSignals } from "../../services/storage/EventSignals.js"
import type { SqlFailure } from "../../services/storage/sql/Database.js"
import type { Wakeups } from "../../services/storage/sql/lane/Transaction.js"
import * as Connection from "./Connection.js"
import * as SchemaLock from "./SchemaLock.js"

export interface Notifications {
  /** Notifies the other processes, some time after it returns. Call it once the commit is visible. */
  readonly notify: (wakeups: Wakeups) => void
}

export interface Options {
  readonly url: Redacted.Redacted
  /** Processes that use the same schema of the same database hear each other. */
  readonly schema: string
  /** Asks the server something first, when anything may have changed, and from time to time: does it still answer? */
  readonly look: (connection: Connection.Connection) => Effect.Effect<void, SqlFailure>
}

/** A session that has changed, a session that is gone with its owner, or "!" when runs are asked to stop. */
const Entry = Schema.Union(SessionId, Schema.Tuple(SessionId, Schema.NullOr(Owner)), Schema.Literal("!"))
type Entry = typeof Entry.Type

/** The payload of a notification, as JSON. Null when too much has changed to list. */
const Told = Schema.parseJson(Schema.NullOr(Schema.Array(Entry)))
const decode = Schema.decodeEither(Told)

const decodePid = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ pid: Schema.Number })))

/** A notification must have fewer than 8,000 bytes. A single entry never has that many. */
const mostBytes = 7_999

/** Above this number, the notification only says that anything may have changed. */
const mostWaiting = 10_000

// A longer name would be refused.
const channelOf = (schema: string) => `skein_${schema}`.slice(0, 63)

const notify = "SELECT pg_notify($1, $2)"

/** The statement, with its parameters, that tells all processes that anything may have changed. */
export const anything = (schema: string) => [notify, channelOf(schema), "null"] as const

/** How often all watchers look, notified or not, and how often the server is asked whether it still answers. */
const interval = "5 seconds"

const encoder = new TextEncoder()

/** The entries that wait to be sent, each session once, in the order in which they came. */
const makeWaiting = () => {
  const entries = new Map<string, Entry>()
  let isTooMuch = false
  const put = (key: string, entry: Entry) => {
    // A session that is gone stays gone, whatever comes later.
    if (!Array.isArray(entries.get(key))) entries.set(key, entry)
  }
  return {
    add: ({ gone, sessions, stopRequested }: Wakeups) => {
      for (const sessionId of sessions) put(sessionId, sessionId)
      for (const { owner, sessionId } of gone) put(sessionId, [sessionId, owner])
      if (stopRequested) put("!", "!")
      isTooMuch ||= entries.size > mostWaiting
      if (isTooMuch) entries.clear()
    },
    isEmpty: () => entries.size === 0 && !isTooMuch,
    /** Takes as many entries as one notification holds, as its payload. */
    take: (): string => {
      if (isTooMuch) {
        isTooMuch = false
        return "null"
      }
      const texts: Array<string> = []
      let size = 1
      for (const [key, entry] of entries) {
        const text = JSON.stringify(entry)
        size += encoder.encode(text).length + 1
        if (size > mostBytes) break
        texts.push(text)
        entries.delete(key)
      }
      return `[${texts.join(",")}]`
    }
  }
}

/** Waits between tries once several in a row have failed. */
const makePause = () => {
  let losses = 0
  return {
    pause: Effect.suspend(() => (losses++ < 3 ? Effect.void : Effect.sleep("250 millis"))),
    succeeded: () => {
      losses = 0
    }
  }
}

/**
 * Starts to listen and to notify. Both end with the scope; entries that still wait are sent first, for at most a
 * second.
 */
export const make = ({
  look: lookAt,
  schema,
  url
}: Options): Effect.Effect<Notifications, never, EventSignals | Scope.Scope> =>
  Effect.gen(function* () {
    const signals = yield* EventSignals
    const channel = channelOf(schema)
    const connectionOptions = { url, schema, isLane: false, lockMillis: 0 }
    /** The pid of the backend that notifies for this process. */
    let own = 0
    const mustLook = Effect.unsafeMakeLatch(false)

    const heard = (payload: string, byBackend: number) => {
      if (byBackend === own) return
      const told = Either.getOrNull(decode(payload))
      if (told === null) {
        mustLook.unsafeOpen()
        return signals.signalAll()
      }
      for (const entry of told) {
        if (entry === "!") signals.signalStopRequests()
        else if (typeof entry === "string") signals.signal(entry)
        else signals.signalGone(...entry)
      }
    }

    const listening = makePause()
    const check = (connection: Connection.Connection) =>
      Effect.sync(() => mustLook.unsafeClose()).pipe(
        Effect.zipRight(Effect.timeout(lookAt(connection), interval)),
        Effect.tap(listening.succeeded),
        Effect.zipRight(Effect.timeoutOption(mustLook.await, interval)),
        Effect.forever
      )
    /** Listens until the connection is lost. */
    const listen = Effect.gen(function* () {
      const connection = yield* Connection.scoped({
        ...connectionOptions,
        applicationName: "skein listens",
        notified: heard
      })
      yield* Connection.ask(connection, `LISTEN ${Connection.quoted(channel)}`)
      const [working, lock] = SchemaLock.working(schema)
      yield* Connection.ask(connection, working, [lock])
      signals.signalAll()
      yield* Effect.raceFirst(
        Effect.promise(() => connection.ended),
        check(connection)
      )
    }).pipe(Effect.scoped, Effect.ignore, Effect.zipRight(listening.pause))
    yield* Effect.forkScoped(Effect.forever(listen))

    const look = Effect.zipRight(signals.whenWatched, Effect.sync(signals.signalAll))
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(interval), look)))

    const waiting = makeWaiting()
    const hasNews = Effect.unsafeMakeLatch(false)
    let sender: Connection.Connection | null = null
    yield* Effect.addFinalizer(() => Effect.promise(async () => await sender?.close()))

    const open = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (sender?.isOpen() === true) return sender
        const opened = yield* restore(Connection.open({ ...connectionOptions, applicationName: "skein notifies" }))
        sender = opened
        const { rows } = yield* Connection.ask(opened, "SELECT pg_backend_pid() AS pid")
        own = decodePid(rows)[0].pid
        return opened
      })
    )
    const sending = makePause()
    const tell = (payload: string) =>
      Effect.flatMap(open, (connection) => Connection.ask(connection, notify, [channel, payload])).pipe(
        // Nobody knows whether a lost notification has arrived, and sending it again does no harm.
        Effect.tapError(() => sending.pause),
        Effect.eventually,
        Effect.tap(sending.succeeded)
      )
    /** The payload that is on its way. */
    let told: string | null = null
    const tellNext = Effect.suspend(() => tell((told ??= waiting.take()))).pipe(
      Effect.tap(() => {
        told = null
      })
    )
    const tellAll = Effect.whileLoop({
      while: () => told !== null || !waiting.isEmpty(),
      body: () => tellNext,
      step: () => {}
    })

    yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(tellAll), "1 second"))
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.zipRight(
          hasNews.await,
          Effect.zipRight(
            Effect.sync(() => hasNews.unsafeClose()),
            tellAll
          )
        )
      )
    )
    return {
      notify: (wakeups) => {
        waiting.add(wakeups)
        if (!waiting.isEmpty()) hasNews.unsafeOpen()
      }
    }
  })
