/** What is written when connections are cut, locks are held and several write at once. */
import { it } from "@effect/vitest"
import { Chunk, Context, Effect, Exit, Fiber, Layer, Redacted, Stream } from "effect"
import { expect } from "vitest"
import { Checked } from "../../../../src/domain/Checked.js"
import * as Limits from "../../../../src/domain/Limits.js"
import * as Message from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import { Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
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

/** A storage with one lane in a new schema, by way of a proxy. */
const throughProxy = (config: EngineConfig.Options = {}) =>
  Effect.gen(function* () {
    const options = yield* fresh
    const proxy = yield* Proxy.make(Redacted.value(options.url))
    const storage = yield* build({ ...options, url: Redacted.make(proxy.url), lanes: 1 }, config)
    return { ...storage, proxy, url: Redacted.value(options.url), schema: options.schema }
  })

/** Writes to eight sessions while something happens, and holds what is stored against it. */
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

  it.scopedLive("what was not answered, and cannot be looked up in time, is an unknown outcome", () =>
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

  it.scopedLive("a session that somebody has locked fails as busy, and no other waits for it for long", () =>
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

  it.scopedLive("a write that the server refuses fails by its code, alone and among others, which are stored", () =>
    Effect.gen(function* () {
      const { append, appendKeyed, create, texts } = yield* build({ ...(yield* fresh), lanes: 1 })
      yield* create(a)
      yield* create(b)
      const refused = { _tag: "StorageFailed", operation: "append messages", code: "22021" }
      // No text of PostgreSQL has a NUL.
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
      const options = { ...direct, url: Redacted.make(proxy.url) }
      const first = yield* build(options)
      const second = yield* build(options)
      yield* Effect.forEach([a, b], first.create)
      const numbers = Array.from({ length: 40 }, (_, n) => `${n}`)
      yield* Effect.forEach(
        [first, second].flatMap((engine) => [a, b].map((id) => [engine, id] as const)),
        ([engine, id]) => Effect.forEach(numbers, (text) => engine.append(id, text), atOnce),
        atOnce
      )
      for (const id of [a, b]) {
        const found = yield* second.texts(id)
        expect(found.toSorted(byNumber)).toEqual([...numbers, ...numbers].toSorted(byNumber))
      }
      // Locked by a statement of its own, and first, each head is seen as it is: no write has to be tried again.
      expect(proxy.statements).not.toContain("ROLLBACK")
    })
  )
})

Postgres.describeOwn("Lanes of a server of their own", () => {
  it.scopedLive(
    "lose nothing and store nothing twice when it is restarted amid writes, as after a crash",
    () =>
      Effect.gen(function* () {
        const { restart, url } = yield* Postgres.server
        const storage = yield* build({ ...(yield* fresh), url: Redacted.make(url) })
        yield* writingWhile(storage, Effect.zipRight(restart, restart))
      }),
    60_000
  )
})
