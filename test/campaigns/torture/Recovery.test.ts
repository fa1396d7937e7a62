/**
 * The cost of opening and claiming is counted, not timed: statements, the rows that they return and the rows that they
 * change.
 */
import { afterAll, describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Option } from "effect"
import { statSync } from "node:fs"
import { join } from "node:path"
import { Checked } from "../../../src/domain/Checked.js"
import * as Limits from "../../../src/domain/Limits.js"
import * as Platform from "../../../src/adapters/node/Platform.js"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import * as SqliteDatabase from "../../../src/adapters/sqlite/SqliteDatabase.js"
import type { Presence } from "../../../src/domain/Lease.js"
import { type AssistantMessage, CallId, userText } from "../../../src/domain/Message.js"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as Usage from "../../../src/domain/Usage.js"
import * as AssetFiles from "../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../src/services/assets/Assets.js"
import { Database, type Service, type Writer } from "../../../src/services/storage/sql/Database.js"
import * as Engine from "../../../src/services/Engine.js"
import { Gateway } from "../../../src/services/gateway/Gateway.js"
import * as Model from "../../../src/services/Model.js"
import { Engines } from "../../../src/services/Engines.js"
import * as Agents from "../../../src/services/Agents.js"
import * as Permissions from "../../../src/services/Permissions.js"
import * as ScriptedModel from "../../../src/services/ScriptedModel.js"
import { Storage, StorageReader } from "../../../src/services/storage/Storage.js"
import { folder } from "../../unit/services/storage/disk.js"
import { watchStatements } from "./Crossing.js"
import * as NewSession from "../../support/NewSession.js"

/** What this process's connections have done since the last reset. */
let done = { statements: 0, rows: 0 }

/** Statements that read from any session. */
let lookedAt: Array<string> = []

afterAll(
  watchStatements((text, run) => {
    const result = run()
    // An engine looks for others' commits as often as its time of opening takes.
    if (text.includes("data_version")) return result
    done = { statements: done.statements + 1, rows: done.rows + (Array.isArray(result) ? result.length : 0) }
    if (/\b(session|run|message|call|event)/.test(text)) lookedAt.push(text)
    return result
  })
)

/** Rows that the writer changed, except in the storage's own bookkeeping. */
let changed = 0

const counted = (writer: Writer): Writer => ({
  ...writer,
  run: (statement, ...parameters) => {
    const changes = writer.run(statement, ...parameters)
    if (!/(meta|lanes)/.test(statement)) changed += changes
    return changes
  }
})

const database = Layer.effect(
  Database,
  Effect.map(Database, (sound): Service => ({ ...sound, writer: Effect.map(sound.writer, counted) }))
).pipe(Layer.provide(SqliteDatabase.layer))

const node = (data: string) => Platform.layer(data, { synchronous: "NORMAL" })

const storage = SqliteStorage.layerOver(database)

/** The first step counts as that of the run that crashed. */
const answering = Agents.layer({
  models: Model.always(ScriptedModel.make([ScriptedModel.hang, ScriptedModel.text("so it is")])),
  policy: Permissions.allowAll
})

const engine = (data: string) =>
  Engine.layer.pipe(
    Layer.provide(Assets.layer),
    Layer.provideMerge(storage),
    Layer.provide(AssetFiles.layer),
    Layer.provide(node(data)),
    Layer.provide([answering, Logger.remove(Logger.defaultLogger)]),
    Layer.fresh
  )

const idOf = (number: number): SessionId => SessionId.make(`session-${number}`)

/** Leaves a session as a process does when it dies while one of its two calls runs. */
const crash = Effect.fnUntraced(function* (number: number, presence: Presence) {
  const storage = yield* Storage
  const sessionId = idOf(number)
  const admitted = yield* storage.admit({
    sessionId,
    runId: RunId.make(`run-${number}`),
    message: yield* Checked.message(userText("work"), Limits.defaults),
    metadata: Checked.noMetadata,
    output: null,
    idempotencyKey: null,
    hash: "",
    textHash: "",
    presence,
    whenBusy: "refuse"
  })
  if (admitted._tag !== "Started") return yield* Effect.dieMessage(`not started: ${admitted._tag}`)
  const calls = ["first", "second"].map((name) => ({
    type: "call" as const,
    callId: CallId.make(`${name}-${number}`),
    name,
    input: "{}"
  }))
  const step: AssistantMessage = {
    role: "assistant",
    parts: calls,
    model: { provider: "p", model: "m" },
    finish: "tool-calls",
    usage: Usage.unknown
  }
  const { calls: open } = yield* storage.appendStep(admitted.lease, yield* Checked.message(step, Limits.defaults))
  if (open[0] !== undefined) yield* storage.startCall(admitted.lease, open[0].seq)
})

/** A database of `sessions` sessions, the first `crashed` of them crashed. */
const databaseOf = (sessions: number, crashed: number) =>
  Effect.gen(function* () {
    const data = yield* folder
    yield* Effect.gen(function* () {
      const storage = yield* Storage
      const { self, sign } = yield* Engines
      const numbers = Array.from({ length: sessions }, (_, number) => number)
      yield* Effect.forEach(numbers, (number) => storage.createSession(NewSession.bare(idOf(number))), {
        concurrency: "unbounded",
        discard: true
      })
      // The pid is in use, by a process that started at another time.
      const dead: Presence = {
        engine: { ...self, startTime: "0", instance: "dead" },
        sign: yield* sign,
        leaseMillis: 15_000,
        placements: []
      }
      yield* Effect.forEach(numbers.slice(0, crashed), (number) => crash(number, dead), { concurrency: "unbounded" })
    }).pipe(Effect.provide(Layer.fresh(Layer.provideMerge(storage, node(data)))))
    return data
  })

const bytesOf = (data: string): number => statSync(join(data, "skein.db")).size

const openings = Effect.fnUntraced(function* (data: string) {
  const before = { bytes: bytesOf(data), time: statSync(join(data, "skein.db")).mtimeMs }
  done = { statements: 0, rows: 0 }
  lookedAt = []
  changed = 0
  const context = yield* Layer.build(engine(data))
  const cost = { ...done, changed, lookedAt: [...lookedAt] }
  expect({ bytes: bytesOf(data), time: statSync(join(data, "skein.db")).mtimeMs }).toEqual(before)
  return { cost, gateway: Context.get(context, Gateway), reader: Context.get(context, StorageReader) }
})

type Opened = Effect.Effect.Success<ReturnType<typeof openings>>

/** The user goes on in one session. Returns how many rows that changed. */
const claim = Effect.fnUntraced(function* ({ gateway }: Opened, number: number) {
  changed = 0
  const ref = yield* gateway.send({ sessionId: idOf(number), text: "go on" })
  expect((yield* gateway.await(ref)).stopReason).toBe("completed")
  expect((yield* gateway.run(RunId.make(`run-${number}`))).stopReason).toBe("crashed")
  return changed
})

const holders = ({ reader }: Opened, crashed: number) =>
  Effect.forEach(
    Array.from({ length: crashed }, (_, number) => number),
    (number) => reader.activity(idOf(number))
  )

describe("P4 recovery is lazy and incremental", () => {
  it.live("opening 10,000 sessions, 100 of them crashed, writes nothing and reads no more than opening 3", () =>
    Effect.gen(function* () {
      const few = yield* openings(yield* databaseOf(3, 1))
      const many = yield* openings(yield* databaseOf(10_000, 100))
      expect(many.cost).toMatchObject({ changed: 0, lookedAt: [] })
      expect(many.cost).toEqual(few.cost)
    }).pipe(Effect.scoped)
  )

  it.live(
    "a message to one of 100 crashed sessions changes as many rows as if it were the only one, and no other",
    () =>
      Effect.gen(function* () {
        const few = yield* openings(yield* databaseOf(3, 1))
        const many = yield* openings(yield* databaseOf(1_000, 100))
        const before = yield* holders(many, 100)
        expect(before.every(({ holder }) => Option.isSome(holder))).toBe(true)
        expect(yield* claim(many, 0)).toBe(yield* claim(few, 0))
        const after = yield* holders(many, 100)
        expect(Option.isNone(after[0]?.holder ?? Option.none())).toBe(true)
        expect(after.slice(1)).toEqual(before.slice(1))
      }).pipe(Effect.scoped)
  )
})
