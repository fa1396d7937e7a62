/** Data folders that are damaged on purpose, what the doctor finds in them, and what can be read afterwards. */
import { expect } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { type Entry, textOf } from "../../../../src/domain/Message.js"
import { Cursor, SessionId } from "../../../../src/domain/Session.js"
import * as Transcript from "../../../../src/domain/Transcript.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { folder } from "../../services/storage/disk.js"
import { damages, databaseIn, engineOn, look, one, populated, repair, two } from "./populated.js"

const entries = (sessionId: SessionId) =>
  Effect.flatMap(Gateway, (gateway) => Stream.runCollect(gateway.transcript({ sessionId }))).pipe(
    Effect.map((entries): ReadonlyArray<Entry> => Chunk.toReadonlyArray(entries))
  )

/** What an engine reads of both sessions, including every event from the oldest that is kept. */
const readAll = (data: string) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const { cursor } = yield* gateway.session(one)
    yield* gateway.append(two, [{ role: "user", parts: [{ type: "text", text: "later" }] }])
    return { one: yield* entries(one), two: yield* entries(two), cursor }
  }).pipe(Effect.provide(engineOn(data)))

export const asides = (data: string): ReadonlyArray<string> =>
  existsSync(join(data, "aside"))
    ? readdirSync(join(data, "aside"), { recursive: true, encoding: "utf8" }).filter((name) =>
        statSync(join(data, "aside", name)).isFile()
      )
    : []

/** Damages a populated folder, and returns what the doctor finds. */
export const damaged = (harm: (data: string) => void) =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    yield* populated(data)
    harm(data)
    const before = existsSync(databaseIn(data)) ? readFileSync(databaseIn(data)) : null
    const seen = yield* look(data)
    expect(before === null || readFileSync(databaseIn(data)).equals(before)).toBe(true)
    return { data, seen }
  })

/**
 * Repairs the folder, and checks that it is healthy afterwards and that both sessions can be read, sent and written to.
 */
export const isMended = (data: string) =>
  Effect.gen(function* () {
    const repaired = yield* repair(data)
    expect(damages(repaired)).toEqual([])
    expect(damages(yield* look(data))).toEqual([])
    const read = yield* readAll(data)
    expect(Transcript.isSendable(read.one)).toBe(true)
    expect(read.one.map(({ seq }) => Number(seq))).toEqual(read.one.map((_, index) => index + 1))
    return { ...read, repaired: repaired.filter((outcome) => outcome._tag === "Repaired") }
  })

/** The newest cursor of a session. */
export const newest = (data: string, sessionId: SessionId) =>
  Effect.flatMap(Gateway, (gateway) => gateway.session(sessionId)).pipe(
    Effect.map(({ cursor }) => cursor),
    Effect.provide(engineOn(data))
  )

/** Whether a client that has seen the session's events up to `after` must load the session again. */
export const reloads = (data: string, sessionId: SessionId, after: Cursor = Cursor.make(1)) =>
  Effect.flatMap(Gateway, (gateway) => Stream.runHead(gateway.events({ sessionId, after }))).pipe(
    Effect.as(false),
    Effect.catchTag("CursorGone", () => Effect.succeed(true)),
    Effect.provide(engineOn(data))
  )

export const text = ({ message }: Entry) => textOf(message)
