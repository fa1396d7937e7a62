/** Wake-ups between processes over a real server: in order, joined, and never relied on. */
import { it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, TestClock } from "effect"
import { setImmediate } from "node:timers/promises"
import { expect } from "vitest"
import * as Connection from "../../../../src/adapters/postgres/Connection.js"
import * as Notifications from "../../../../src/adapters/postgres/Notifications.js"
import { Owner, SessionId } from "../../../../src/domain/Session.js"
import { EventSignals, layer as signalsLayer } from "../../../../src/services/storage/EventSignals.js"
import type { Wakeups } from "../../../../src/services/storage/sql/lane/Transaction.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Proxy from "../../../support/postgres/Proxy.js"

const look = (connection: Connection.Connection) => Effect.asVoid(Connection.ask(connection, "SELECT 1"))

const id = (n: number | string) => SessionId.make(`ses_${n}`)

const changed = (...sessions: ReadonlyArray<SessionId>): Wakeups => ({
  sessions: new Set(sessions),
  gone: [],
  stopRequested: false
})

/** Opens what a process would have: its own signals, with a record of all of them. */
const openProcess = (url: string, schema = "skein") =>
  Effect.gen(function* () {
    const signals = Context.get(yield* Layer.build(Layer.fresh(signalsLayer)), EventSignals)
    const heard: Array<string> = []
    const waiting = new Set<() => void>()
    const hear = (what: string) => {
      heard.push(what)
      waiting.forEach((look) => look())
    }
    const ignore = signals.listenToAll({
      changed: (sessionId) => hear(sessionId),
      gone: (sessionId, owner) => hear(`${sessionId} of ${owner} is gone`),
      unknown: () => hear("anything")
    })
    const { notify } = yield* Notifications.make({ url: Redacted.make(url), schema, look }).pipe(
      Effect.provideService(EventSignals, signals)
    )
    const until = (holds: () => boolean) =>
      Effect.async<void>((resume) => {
        const look = () => {
          if (holds()) resume(Effect.void)
        }
        waiting.add(look)
        look()
      })
    // It checks for changes once it listens.
    yield* until(() => heard.includes("anything"))
    heard.length = 0
    return { heard, ignore, notify, signals, until, hears: (what: string) => until(() => heard.includes(what)) }
  })

const terminate = (url: string, applicationName: string) =>
  Postgres.once(
    url,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()",
    [applicationName]
  )

/** Lets everything that has arrived meanwhile be processed. */
const turn = Effect.promise(() => setImmediate())

const marks = (texts: ReadonlyArray<string>) => texts.filter((text) => text.includes("pg_notify")).length

Postgres.describe("Notifications between processes", () => {
  it.scoped("wake the other processes in order, but not their sender", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const proxy = yield* Proxy.make(url)
      const teller = yield* openProcess(proxy.url)
      const [one, other] = yield* Effect.all([openProcess(url), openProcess(url)])
      const ids = Array.from({ length: 1_000 }, (_, n) => id(`${n}`.padStart(60, "0")))
      for (const sessionId of ids) {
        teller.notify(changed(sessionId))
        yield* Effect.yieldNow()
      }
      yield* Effect.all([one.hears(id(`${999}`.padStart(60, "0"))), other.hears(id(`${999}`.padStart(60, "0")))])
      expect(one.heard).toEqual(ids)
      expect(other.heard).toEqual(ids)
      expect(teller.heard).toEqual([])
      // At most 116 of them fit into one notification.
      expect(marks(proxy.statements)).toBeGreaterThanOrEqual(9)
      expect(marks(proxy.statements)).toBeLessThan(100)
    })
  )

  it.scoped("report deleted sessions with their owners, and requests to stop runs", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const [teller, other] = yield* Effect.all([openProcess(url), openProcess(url)])
      const stop = yield* other.signals.watchStopRequests
      const owner = Owner.make('ä\u0001"'.repeat(85))
      const gone = Array.from({ length: 30 }, (_, n) => ({ sessionId: id(n), owner: n % 2 === 0 ? owner : null }))
      teller.notify({ sessions: new Set(), gone, stopRequested: true })
      // A deleted session is not also reported as changed.
      teller.notify(changed(id(0)))
      yield* stop.next
      teller.notify(changed(id("last")))
      yield* other.hears(id("last"))
      expect(other.heard).toEqual([
        ...gone.map(({ owner, sessionId }) => `${sessionId} of ${owner} is gone`),
        id("last")
      ])
    })
  )

  it.scoped("do not reach processes that use another schema", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const [teller, near, far] = yield* Effect.all([
        openProcess(url),
        openProcess(url),
        openProcess(url, "another".repeat(9))
      ])
      const own = yield* openProcess(url, "another".repeat(9))
      teller.notify(changed(id(1)))
      yield* near.hears(id(1))
      own.notify(changed(id(2)))
      yield* far.hears(id(2))
      expect(far.heard).toEqual([id(2)])
    })
  )

  it.scoped("are merged if many come at once, and say only that anything changed if there are too many", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const proxy = yield* Proxy.make(url)
      const [teller, other] = yield* Effect.all([openProcess(proxy.url), openProcess(url)])
      for (let n = 0; n < 1_000; n++) teller.notify(changed(id(1), id(2)))
      teller.notify(changed(id(3)))
      yield* other.hears(id(3))
      expect(other.heard).toEqual([id(1), id(2), id(3)])
      expect(marks(proxy.statements)).toBe(1)
      for (let n = 0; n <= 10_000; n++) teller.notify(changed(id(n)))
      yield* other.hears("anything")
      expect(marks(proxy.statements)).toBe(2)
    })
  )

  it.scoped("may be lost: a process that listens again checks, and sees all rows", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      yield* Postgres.once(url, "CREATE TABLE told (n int)")
      const proxy = yield* Proxy.make(url)
      const [teller, other] = yield* Effect.all([openProcess(url), openProcess(proxy.url)])
      const writer = yield* Postgres.connect(url)
      // Wake-ups carry no data: what is seen is what the rows say at the last wake-up.
      const watch = yield* other.signals.watch(id(1))
      let seen = 0
      const look = Effect.gen(function* () {
        yield* watch.next
        const [row] = yield* Postgres.once<{ readonly n: number }>(url, "SELECT count(*)::int AS n FROM told")
        seen = row?.n ?? 0
      })
      const seeing = yield* Effect.fork(Effect.repeat(look, { until: () => seen === 60 }))
      for (let n = 1; n <= 60; n++) {
        yield* Postgres.ask(writer, "INSERT INTO told VALUES (1)")
        teller.notify(changed(id(1)))
        // With the cut below, three losses in all: after more losses in a row, a listener waits between attempts, and
        // the clock stands still.
        if (n === 20 || n === 40) yield* terminate(url, "skein listens")
        if (n % 20 === 10) yield* terminate(url, "skein notifies")
        // The last change is signalled while nothing listens.
        if (n === 59) yield* proxy.cutAll
      }
      yield* seeing.await
    })
  )

  it.scoped("are not relied on: every process checks for changes every five seconds, if anybody watches", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const it = yield* openProcess(url)
      yield* TestClock.adjust("4999 millis")
      expect(it.heard).toEqual([])
      yield* TestClock.adjust("1 millis")
      yield* it.hears("anything")
      it.heard.length = 0
      yield* TestClock.adjust("5 seconds")
      yield* it.hears("anything")
      it.ignore()
      yield* TestClock.adjust("7 seconds")
      // The check that was due meanwhile waits for the next watcher.
      const watch = yield* it.signals.watch(id(1))
      yield* watch.next
    })
  )

  it.scoped("resume after the server stops answering, because the listener notices", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const proxy = yield* Proxy.make(url)
      const teller = yield* openProcess(url)
      const it = yield* openProcess(proxy.url)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* proxy.partition
          // The listener asks, waits for an answer, and gives up.
          yield* Effect.fork(Effect.forever(Effect.zipRight(TestClock.adjust("1 second"), turn)))
          yield* proxy.until(() => proxy.connections() === 2)
        })
      )
      // What is signalled while it reconnects is lost.
      const told = Effect.zipRight(
        Effect.sync(() => teller.notify(changed(id(1)))),
        turn
      )
      yield* Effect.raceFirst(it.hears(id(1)), Effect.forever(told))
    })
  )

  it.scoped("are sent again when it is unknown whether they arrived", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const proxy = yield* Proxy.make(url)
      const teller = yield* openProcess(proxy.url)
      const other = yield* openProcess(url)
      for (const what of ["unsent", "unheard"] as const) {
        const { reached } = yield* proxy.cut({ what, when: ({ text }) => text.includes("pg_notify") })
        teller.notify(changed(id(what)))
        yield* reached
        teller.notify(changed(id(`after-${what}`)))
        yield* other.hears(id(`after-${what}`))
      }
      expect(other.heard).toEqual([id("unsent"), id("after-unsent"), id("unheard"), id("unheard"), id("after-unheard")])
    })
  )

  it.scoped("are sent before a process ends", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const other = yield* openProcess(url)
      yield* Effect.scoped(Effect.map(openProcess(url), ({ notify }) => notify(changed(id(1)))))
      yield* other.hears(id(1))
    })
  )
})
