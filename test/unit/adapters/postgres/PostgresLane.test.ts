/** What is written when connections are cut, locks are held and several processes write at the same time. */
import { it } from "@effect/vitest"
import { Chunk, Clock, Context, Effect, Exit, Fiber, Layer, Option, Redacted, Stream } from "effect"
import { expect } from "vitest"
import { Checked } from "../../../../src/domain/Checked.js"
import * as Limits from "../../../../src/domain/Limits.js"
import * as Message from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import { WriteLane } from "../../../../src/services/storage/sql/lane/WriteLane.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import { create, firstEngine, r2, s2, start, takeover } from "../../../../src/adapters/testing/storage/fixture.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as PostgresLane from "../../../../src/adapters/postgres/PostgresLane.js"
import * as ServerClock from "../../../../src/adapters/postgres/ServerClock.js"
import type * as PostgresStorage from "../../../../src/adapters/postgres/PostgresStorage.js"
import * as NewSession from "../../../support/NewSession.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Proxy from "../../../support/postgres/Proxy.js"
import { storageIn } from "./layers.js"
import { fresh } from "./storage.js"

const atOnce = { concurrency: "unbounded" } as const
const byNumber = (one: string, other: string) => Number(one) - Number(other)
const [a, b] = [SessionId.make("a"), SessionId.make("b")]

const build = (options: PostgresStorage.Options, config: EngineConfig.Options = {}) =>
  Effect.map(Layer.build(Layer.provide(storageIn(options), EngineConfig.layer(config))), (context) => {
    const storage = Context.get(context, Storage)
    const reader = Context.get(context, StorageReader)
    return {
      context,
      append: (id: SessionId, text: string) =>
        Effect.flatMap(Checked.message(Message.userText(text), Limits.defaults), (message) =>
          storage.append(id, [message])
        ),
      appendKeyed: (id: SessionId, key: string, text: string) =>
        Effect.flatMap(Checked.message(Message.userText(text), Limits.defaults), (message) =>
          storage.append(id, [message], { key, hash: "hash" })
        ),
      create: (id: SessionId) => storage.createSession(NewSession.bare(id)),
      /** The texts of a session, in the order of their places, which have no gap. */
      texts: (sessionId: SessionId) =>
        Effect.map(Stream.runCollect(reader.transcript({ sessionId })), (entries) =>
          Chunk.toReadonlyArray(entries).map(({ message, seq }, index) => {
            expect(seq).toBe(index + 1)
            return Message.textOf(message)
          })
        )
    }
  })

/** A storage with one lane in a new schema, through a proxy. */
const throughProxy = (config: EngineConfig.Options = {}) =>
  Effect.gen(function* () {
    const options = yield* fresh
    const proxy = yield* Proxy.make(Redacted.value(options.url))
    const storage = yield* build({ ...options, url: Redacted.make(proxy.url), lanes: 1 }, config)
    return { ...storage, proxy, url: Redacted.value(options.url), schema: options.schema }
  })

/** Writes to eight sessions while something happens, and compares what is stored with what was written. */
const writingWhile = (
  { append, create, texts }: Effect.Effect.Success<ReturnType<typeof build>>,
  happens: Effect.Effect<unknown, unknown>
) =>
  Effect.gen(function* () {
    const sessions = Array.from({ length: 8 }, (_, n) => SessionId.make(`s${n}`))
    yield* Effect.forEach(sessions, create, atOnce)
    const numbers = Array.from({ length: 25 }, (_, n) => `${n}`)
    const writing = yield* Effect.fork(
      Effect.forEach(sessions, (id) => Effect.forEach(numbers, (text) => append(id, text)), atOnce)
    )
    yield* happens
    yield* Fiber.join(writing)
    for (const id of sessions) expect(yield* texts(id)).toEqual(numbers)
  })

Postgres.describe("Lanes of PostgreSQL", () => {
  const cuts = {
    "before BEGIN": Proxy.atBegin,
    "within a group": Proxy.atStatement(4),
    "before COMMIT": Proxy.beforeCommit,
    "after COMMIT, unheard": Proxy.afterCommit
  }
  for (const [place, cut] of Object.entries(cuts)) {
    it.scopedLive(`a connection that is cut ${place} loses nothing and stores nothing twice`, () =>
      Effect.gen(function* () {
        const { append, create, proxy, texts } = yield* throughProxy()
        yield* create(a)
        yield* create(b)
        const { reached } = yield* proxy.cut(cut)
        yield* Effect.all([append(a, "1"), append(b, "2"), append(a, "3")], atOnce)
        yield* reached
        expect(yield* texts(a)).toEqual(["1", "3"])
        expect(yield* texts(b)).toEqual(["2"])
      })
    )
  }

  it.scopedLive("backends that are ended amid writes lose nothing and store nothing twice", () =>
    Effect.gen(function* () {
      const { url, ...storage } = yield* throughProxy()
      yield* writingWhile(storage, Effect.replicateEffect(Postgres.terminateAll(url), 5))
    })
  )

  it.scopedLive("a write that is unanswered and cannot be checked in time has an unknown outcome", () =>
    Effect.gen(function* () {
      const { append, create, proxy } = yield* throughProxy({ busyMaxMillis: 300 })
      yield* create(a)
      const { reached } = yield* proxy.cut(Proxy.afterCommit)
      const writing = yield* Effect.fork(Effect.flip(append(a, "1")))
      yield* reached
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* proxy.partition
          yield* proxy.cutAll
          expect(yield* Fiber.join(writing)).toMatchObject({ _tag: "OutcomeUnknown" })
        })
      )
    })
  )

  it.scopedLive("a write fails in time while a connection is never made", () =>
    Effect.gen(function* () {
      const options = { lanes: 1, clock: ServerClock.same(() => 0), where: "", announce: () => {} }
      const lane = PostgresLane.layer({ ...options, connect: Effect.never }).pipe(
        Layer.provide([EventSignals.layer, Identity.layerIds, EngineConfig.layer({ busyMaxMillis: 1 })])
      )
      const { write } = Context.get(yield* Layer.build(lane), WriteLane)
      expect(yield* Effect.flip(write("rename the session", { sessions: [a] }, function* () {}))).toMatchObject({
        _tag: "StorageFailed",
        operation: "rename the session",
        code: "ETIMEDOUT"
      })
    })
  )

  it.scopedLive("a write to a locked session fails as busy, and does not block other sessions for long", () =>
    Effect.gen(function* () {
      const { append, create, schema, texts, url } = yield* throughProxy({ busyMaxMillis: 300 })
      yield* create(a)
      yield* create(b)
      const holder = yield* Postgres.connect(url)
      yield* Postgres.ask(holder, `BEGIN; SELECT 1 FROM ${schema}.session_rows WHERE id = 'a' FOR UPDATE`)
      const [held, free] = yield* Effect.all([Effect.exit(append(a, "1")), Effect.exit(append(b, "2"))], atOnce)
      expect(held).toMatchObject({ cause: { error: { _tag: "StorageBusy", operation: "append messages" } } })
      expect(Exit.isSuccess(free)).toBe(true)
      yield* Postgres.ask(holder, "ROLLBACK")
      yield* append(a, "3")
      expect([yield* texts(a), yield* texts(b)]).toEqual([["3"], ["2"]])
    })
  )

  it.scopedLive("the sessions of a group are locked in a fixed order, whatever the order of writes", () =>
    Effect.gen(function* () {
      const { append, create, schema, url } = yield* throughProxy()
      const [c, d] = [SessionId.make("c"), SessionId.make("d")]
      yield* Effect.forEach([a, b, c, d], create)
      const [holder, other] = [yield* Postgres.connect(url), yield* Postgres.connect(url)]
      const locked = (id: string) => `SELECT 1 FROM ${schema}.session_rows WHERE id = '${id}' FOR UPDATE`
      const waits = Effect.map(
        Postgres.once(
          url,
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
             AND query LIKE '%json_each%' AND (SELECT count(*) FROM pg_locks WHERE NOT granted) > 0`
        ),
        (rows) => rows.length > 0
      )
      yield* Postgres.ask(holder, `BEGIN; ${locked("a")}`)
      // While the lane waits for a group, these form its next group, in this order.
      const writing = yield* Effect.fork(Effect.forEach([d, c, b, a], (id) => append(id, "1"), atOnce))
      yield* Effect.repeat(waits, { until: (isWaiting) => isWaiting })
      // It waits for the lock on the first session, and has not locked the others.
      for (const id of [b, c, d]) yield* Postgres.ask(other, `BEGIN; ${locked(id)} NOWAIT; ROLLBACK`)
      yield* Postgres.ask(holder, "ROLLBACK")
      yield* Fiber.join(writing)
    })
  )

  it.scopedLive("a session that is locked for long, as by a stopped process, holds up no other", () =>
    Effect.gen(function* () {
      const { append, create, schema, texts, url } = yield* throughProxy({ busyMaxMillis: 600_000 })
      yield* create(a)
      yield* create(b)
      const holder = yield* Postgres.connect(url)
      yield* Postgres.ask(holder, `BEGIN; SELECT 1 FROM ${schema}.session_rows WHERE id = 'a' FOR UPDATE`)
      const held = yield* Effect.fork(Effect.forEach(["1", "2"], (text) => append(a, text), atOnce))
      yield* Effect.forEach(["1", "2", "3"], (text) => append(b, text))
      yield* Effect.fork(append(a, "3"))
      yield* Effect.forEach(["4", "5", "6"], (text) => append(b, text))
      expect(yield* texts(b)).toEqual(["1", "2", "3", "4", "5", "6"])
      yield* Postgres.ask(holder, "ROLLBACK")
      yield* Fiber.join(held)
      yield* append(a, "4")
      expect(yield* texts(a)).toEqual(["1", "2", "3", "4"])
    })
  )

  it.scopedLive(
    "P9 of two engines that create the same session at the same time, the second finds that it exists",
    () =>
      Effect.gen(function* () {
        const { create, schema, texts, url } = yield* throughProxy({ busyMaxMillis: 600_000 })
        const holder = yield* Postgres.connect(url)
        yield* Postgres.ask(
          holder,
          `BEGIN; INSERT INTO ${schema}.session_rows
           (id, first_cursor, created_at, updated_at, cursor, named, title, workdir)
         VALUES ('a', 1, 0, 0, 0, 1, 'other', '')`
        )
        const creating = yield* Effect.fork(Effect.flip(create(a)))
        yield* Postgres.waitsForLock(url, "skein writes")
        yield* Postgres.ask(holder, "COMMIT")
        expect(yield* Fiber.join(creating)).toMatchObject({ _tag: "SessionExists" })
        expect(yield* texts(a)).toEqual([])
      })
  )

  it.scopedLive("P9 a run begins without waiting while another connection stores its engine's sign of life", () =>
    Effect.gen(function* () {
      const { context, schema, url } = yield* throughProxy({ busyMaxMillis: 600_000 })
      yield* Effect.gen(function* () {
        yield* create()
        yield* create({ id: s2 })
        yield* start()
        const holder = yield* Postgres.connect(url)
        yield* Postgres.ask(holder, `BEGIN; UPDATE ${schema}.engines SET count = 7 WHERE instance = 'i1'`)
        const { lease } = yield* start({ sessionId: s2, runId: r2 })
        yield* (yield* Storage).takeOver({ ...takeover(lease), recovery: "continue" }, firstEngine)
        yield* Postgres.ask(holder, "COMMIT")
        const { holder: found } = yield* (yield* StorageReader).activity(s2)
        expect(Option.getOrThrow(found).beat.count).toBe(7)
        // A sign given on its own waits for the lock: it must be stored once it is confirmed.
        yield* (yield* Storage).renew(firstEngine)
        const { holder: later } = yield* (yield* StorageReader).activity(s2)
        expect(Option.getOrThrow(later).beat.count).toBe(8)
      }).pipe(Effect.provide(context))
    })
  )

  it.scopedLive("remove the marks of lanes that have been gone for a day, and no others", () =>
    Effect.gen(function* () {
      const { append, create, schema, url } = yield* throughProxy()
      yield* create(a)
      const now = yield* Clock.currentTimeMillis
      const hours = (ago: number) => now - ago * 60 * 60 * 1_000
      yield* Postgres.once(url, `INSERT INTO ${schema}.lanes (id, mark, at) VALUES ('old', 1, $1), ('newer', 1, $2)`, [
        hours(25),
        hours(23)
      ])
      // A lane looks for old marks when it connects.
      yield* Postgres.terminateAll(url)
      yield* append(a, "1")
      const rows = yield* Postgres.once<{ readonly id: string }>(url, `SELECT id FROM ${schema}.lanes`)
      expect(rows.map(({ id }) => id)).toContain("newer")
      expect(rows.map(({ id }) => id)).not.toContain("old")
    })
  )

  it.scopedLive("a write that the server refuses fails with its code, and others in its group are stored", () =>
    Effect.gen(function* () {
      const { append, appendKeyed, create, texts } = yield* build({ ...(yield* fresh), lanes: 1 })
      yield* create(a)
      yield* create(b)
      const refused = { _tag: "StorageFailed", operation: "append messages", code: "22021" }
      // A text in PostgreSQL cannot contain a NUL.
      expect(yield* Effect.flip(appendKeyed(a, "a\u0000b", "1"))).toMatchObject(refused)
      const among = [Effect.flip(appendKeyed(a, "\u0000", "2")), append(b, "3"), append(a, "4")] as const
      const [error] = yield* Effect.all(among, atOnce)
      expect(error).toMatchObject(refused)
      expect([yield* texts(a), yield* texts(b)]).toEqual([["4"], ["3"]])
    })
  )

  it.scopedLive("P9 two engines that write to the same sessions give each message a place of its own", () =>
    Effect.gen(function* () {
      const direct = yield* fresh
      const proxy = yield* Proxy.make(Redacted.value(direct.url))
      // One lane each, so that both sessions are in each group, in opposite orders.
      const options = { ...direct, url: Redacted.make(proxy.url), lanes: 1 }
      const first = yield* build(options)
      const second = yield* build(options)
      yield* Effect.forEach([a, b], first.create)
      const numbers = Array.from({ length: 40 }, (_, n) => `${n}`)
      yield* Effect.forEach(
        [...[a, b].map((id) => [first, id] as const), ...[b, a].map((id) => [second, id] as const)],
        ([engine, id]) => Effect.forEach(numbers, (text) => engine.append(id, text), atOnce),
        atOnce
      )
      for (const id of [a, b]) {
        const found = yield* second.texts(id)
        expect(found.toSorted(byNumber)).toEqual([...numbers, ...numbers].toSorted(byNumber))
      }
      // Each head is locked first, by a statement of its own, so it is read as it is, and locks are taken in one order.
      // No statement fails, except when a lock takes too long on a busy machine, and when that statement's transaction
      // then refuses others.
      expect(proxy.failures.filter((code) => !["55P03", "25P02"].includes(code))).toEqual([])
    })
  )
})

Postgres.describeOwn("Lanes of a server of their own", () => {
  it.scopedLive("lose nothing and store nothing twice when the server restarts amid writes, as after a crash", () =>
    Effect.gen(function* () {
      const { restart, url } = yield* Postgres.server
      const storage = yield* build({ ...(yield* fresh), url: Redacted.make(url) })
      yield* writingWhile(storage, Effect.zipRight(restart, restart))
    })
  )

  for (const [what, deed] of [
    ["killed", "kill"],
    ["shut down for maintenance", "shutDown"]
  ] as const) {
    it.scopedLive(`lose nothing and store nothing twice when the server is ${what} and its standby takes over`, () =>
      Effect.gen(function* () {
        const primary = yield* Postgres.server
        const standby = yield* Effect.orDie(primary.standby)
        const proxy = yield* Proxy.make(primary.url)
        const storage = yield* build({ ...(yield* fresh), url: Redacted.make(proxy.url) }, { busyMaxMillis: 30_000 })
        const takeOver = Effect.gen(function* () {
          yield* primary[deed]
          yield* proxy.redirect(standby.url)
          const before = proxy.statements.length
          // The host name has moved, and lanes connect to a standby that does not take writes yet.
          yield* proxy.until(() => proxy.statements.length > before + 3)
          yield* Postgres.once(standby.url, "SELECT pg_promote()")
        })
        yield* writingWhile(storage, takeOver)
      })
    )
  }
})
