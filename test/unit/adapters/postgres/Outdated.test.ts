/** Engines that are working on a schema when a newer version migrates it. */
import { it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted } from "effect"
import { expect } from "vitest"
import { Checked } from "../../../../src/domain/Checked.js"
import * as Limits from "../../../../src/domain/Limits.js"
import * as Message from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import * as Outdated from "../../../../src/services/storage/Outdated.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import * as Upgrading from "../../../../src/services/storage/Upgrading.js"
import * as Connection from "../../../../src/adapters/postgres/Connection.js"
import * as Migrations from "../../../../src/adapters/postgres/Migrations.js"
import * as PostgresDoctor from "../../../../src/adapters/postgres/PostgresDoctor.js"
import type * as PostgresStorage from "../../../../src/adapters/postgres/PostgresStorage.js"
import { steps } from "../../../../src/adapters/postgres/Schema.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NewSession from "../../../support/NewSession.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import { storageIn } from "./layers.js"
import { fresh } from "./storage.js"

const newer = { _tag: "StorageUnusable", reason: "newer-version", detail: `${steps.length + 1}` }
const a = SessionId.make("a")

const openOn = (options: PostgresStorage.Options) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(storageIn(options))
    const storage = Context.get(context, Storage)
    yield* storage.createSession(NewSession.bare(a))
    const append = Effect.flatMap(Checked.message(Message.userText("x"), Limits.defaults), (message) =>
      storage.append(a, [message])
    )
    const { known } = Context.get(context, Outdated.Outdated)
    return { append, known, reader: Context.get(context, StorageReader), storage }
  })

const url = ({ url }: PostgresStorage.Options) => Redacted.value(url)

/** The step of a version that does not exist yet. It remembers how many messages it has found. */
const later = (...statements: ReadonlyArray<string>) => ({
  name: "later",
  statements: ["CREATE TABLE found AS SELECT count(*)::int AS messages FROM messages", ...statements]
})

/** The connection of a process of that version. */
const newest = (options: PostgresStorage.Options) =>
  Connection.scoped({ ...options, applicationName: "newer", isLane: true, scans: true, lockMillis: 0 })

const migrate = (options: PostgresStorage.Options, step = later()) =>
  Effect.scoped(
    Effect.flatMap(newest(options), (connection) =>
      Migrations.migrate({ connection, schema: options.schema, where: "there" }, [...steps, step])
    )
  )

/** Whether all messages were there when the schema was migrated. */
const isUnchanged = (options: PostgresStorage.Options) =>
  Effect.map(
    Postgres.once<{ readonly is: boolean }>(
      url(options),
      `SELECT (SELECT count(*) FROM ${options.schema}.messages) = messages AS is FROM ${options.schema}.found`
    ),
    ([row]) => row?.is
  )

/** Returns once a connection with this name waits for a lock. */
const waiting = (options: PostgresStorage.Options, name: string) => Postgres.waitsForLock(url(options), name)

/** Returns once an engine has said that it works on the schema, or once none does. */
const working = (options: PostgresStorage.Options, isThere: boolean) =>
  Effect.repeat(
    Postgres.once(
      url(options),
      `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND database =
         (SELECT oid FROM pg_database WHERE datname = current_database()) AND
         ((classid::bigint << 32) | objid::bigint) = hashtextextended($1, 0)`,
      [`skein engines ${options.schema}`]
    ),
    { until: (rows) => rows.length > 0 === isThere }
  )

Postgres.describe("P13 a schema that a newer version migrates", () => {
  it.scopedLive("gets no more writes, however many are under way", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const { append, reader } = yield* openOn(options)
      const appending = yield* Effect.fork(
        Effect.forEach([1, 2, 3], () => Effect.flip(Effect.forever(append)), { concurrency: "unbounded" })
      )
      yield* Effect.replicateEffect(append, 20, { discard: true })
      yield* migrate(options)
      for (const error of yield* Fiber.join(appending)) expect(error).toMatchObject(newer)
      expect(yield* Effect.flip(append)).toMatchObject(newer)
      expect(yield* Effect.flip(reader.session(a))).toMatchObject(newer)
      expect(yield* isUnchanged(options)).toBe(true)
    })
  )

  it.scopedLive("gets none that comes while it is being migrated", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const { append } = yield* openOn(options)
      yield* append
      const gate = yield* Postgres.connect(url(options))
      yield* Postgres.ask(gate, "SELECT pg_advisory_lock(42)")
      const migrating = yield* Effect.fork(migrate(options, later("SELECT pg_advisory_xact_lock(42)")))
      yield* waiting(options, "newer")
      const appending = yield* Effect.fork(Effect.flip(append))
      yield* waiting(options, "skein writes")
      yield* Postgres.ask(gate, "SELECT pg_advisory_unlock(42)")
      yield* Fiber.join(migrating)
      expect(yield* Fiber.join(appending)).toMatchObject(newer)
      expect(yield* isUnchanged(options)).toBe(true)
    })
  )

  it.scopedLive("is migrated after the writes that have begun", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const { append } = yield* openOn(options)
      const holder = yield* Postgres.connect(url(options))
      yield* Postgres.ask(holder, "BEGIN")
      yield* Postgres.ask(holder, `LOCK TABLE ${options.schema}.lanes`)
      const appending = yield* Effect.fork(append)
      yield* waiting(options, "skein writes")
      const migrating = yield* Effect.fork(migrate(options))
      // A lane gives up a lock soon: then there is nothing to wait for.
      yield* Effect.race(waiting(options, "newer"), Fiber.await(migrating))
      yield* Postgres.ask(holder, "COMMIT")
      yield* Fiber.join(migrating)
      yield* Effect.exit(Fiber.join(appending))
      expect(yield* isUnchanged(options)).toBe(true)
    })
  )

  it.scopedLive("is noticed by an engine with nothing to do, which reads nothing more", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const { known, reader } = yield* openOn(options)
      yield* working(options, true)
      yield* migrate(options)
      expect(yield* known).toMatchObject(newer)
      expect(yield* Effect.flip(reader.session(a))).toMatchObject(newer)
    })
  )

  it.scopedLive("is not migrated by somebody who must not end engines that work on it", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const alone = Effect.provideService(migrate(options), Upgrading.Upgrading, {
        ...Upgrading.usual,
        endsOthers: false
      })
      yield* Effect.gen(function* () {
        const { append } = yield* openOn(options)
        yield* working(options, true)
        expect(yield* Effect.flip(alone)).toMatchObject({ reason: "in-use", path: "there" })
        yield* append
      }).pipe(Effect.scoped)
      yield* working(options, false)
      yield* alone
      expect(yield* isUnchanged(options)).toBe(true)
    })
  )

  it.scopedLive("is not repaired any more", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      yield* Effect.scoped(
        Effect.flatMap(openOn(options), ({ storage }) => storage.createSession(NewSession.bare(SessionId.make("b"))))
      )
      yield* Postgres.once(url(options), `UPDATE ${options.schema}.session_rows SET head = 7`)
      // The migration comes in the middle of the first session's repair.
      const scope = yield* Effect.scope
      const keep = () =>
        Effect.as(Effect.zipRight(Effect.forkIn(migrate(options), scope), waiting(options, "newer")), "kept")
      const repaired = yield* PostgresDoctor.repair(options, { keep, move: Effect.succeed }).pipe(
        Effect.provide(Identity.layer),
        Effect.exit
      )
      expect(JSON.stringify(repaired)).toContain("NEWER_VERSION")
      const heads = yield* Postgres.once(url(options), `SELECT head FROM ${options.schema}.session_rows ORDER BY head`)
      expect(heads).toEqual([{ head: 0 }, { head: 7 }])
    })
  )

  it.scopedLive("is opened without waiting for anybody when it is of this version", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      yield* Effect.scoped(openOn(options))
      const holder = yield* Postgres.connect(url(options))
      yield* Postgres.ask(holder, "BEGIN")
      yield* Postgres.ask(holder, `SELECT FROM ${options.schema}.migrations`)
      yield* Postgres.ask(holder, "SELECT pg_advisory_lock(hashtextextended($1, 0))", [`skein ${options.schema}`])
      yield* Layer.build(storageIn(options))
    })
  )

  it.scopedLive("gets writes while its migration waits for somebody else", () =>
    Effect.gen(function* () {
      const options = yield* fresh
      const { append } = yield* openOn(options)
      // The newest step can be taken again.
      yield* Postgres.once(url(options), `DELETE FROM ${options.schema}.migrations WHERE version = ${steps.length}`)
      const holder = yield* Postgres.connect(url(options))
      yield* Postgres.ask(holder, "BEGIN")
      yield* Postgres.ask(holder, `LOCK TABLE ${options.schema}.session_rows IN ACCESS SHARE MODE`)
      const opening = yield* Effect.fork(Layer.build(storageIn(options)))
      yield* waiting(options, "skein migrates")
      yield* append
      yield* waiting(options, "skein migrates")
      yield* append
      yield* Postgres.ask(holder, "COMMIT")
      yield* Fiber.join(opening)
    })
  )
})
