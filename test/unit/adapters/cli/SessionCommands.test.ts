import { NodeFileSystem, NodePath } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Deletion from "../../../../src/adapters/cli/commands/sessions/delete.js"
import * as Listing from "../../../../src/adapters/cli/commands/sessions/list.js"
import * as SessionLookup from "../../../../src/adapters/cli/SessionLookup.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { folder } from "../../services/storage/disk.js"
import { engineOn, one, populate } from "../sqlite/populated.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

/** The values of a valid command line. */
const valuesOf = (...args: ReadonlyArray<string>) => {
  const request = CommandLine.read(args)
  if (request._tag !== "Call") throw new Error(request._tag)
  return request.values
}

it.scopedLive("a session is deleted only when the answer is yes, and nothing that begins like it", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    yield* populate(data)
    const command = Deletion.run(valuesOf("sessions", "delete", one, "--data", data))
    const isThere = Effect.gen(function* () {
      const { sessions } = yield* (yield* Gateway).sessions()
      return sessions.some(({ id }) => id === one)
    }).pipe(Effect.provide(engineOn(data)))
    for (const [answer, stays] of [
      ["yikes", true],
      ["y no", true],
      ["", true],
      [null, true],
      [" Yes ", false]
    ] as const) {
      const screen = yield* FakeScreen.make({ canAsk: true })
      const running = yield* Effect.fork(Effect.provide(command, screen.layer))
      yield* screen.prompted
      yield* screen.type(answer)
      yield* running
      expect([answer, yield* isThere]).toEqual([answer, stays])
    }
  }).pipe(Effect.provide([NodeFileSystem.layer, NodePath.layer]))
)

it.scopedLive("as many sessions are listed as are asked for, over several pages too", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const ids = Array.from({ length: 620 }, (_, index) => SessionId.make(`s${index}`))
    yield* Effect.gen(function* () {
      const gateway = yield* Gateway
      yield* Effect.forEach(ids, (id) => gateway.create({ id }), { concurrency: "unbounded", discard: true })
    }).pipe(Effect.provide(engineOn(data)))
    for (const [limit, lines] of [
      ["510", 510],
      ["900", 620]
    ] as const) {
      const screen = yield* FakeScreen.make()
      const listing = Listing.run(valuesOf("sessions", "list", "--json", "--limit", limit, "--data", data))
      yield* Effect.provide(listing, screen.layer)
      const listed = (yield* screen.output).trim().split("\n")
      expect(new Set(listed).size).toBe(lines)
      expect(listed).toHaveLength(lines)
    }
  }).pipe(Effect.provide([NodeFileSystem.layer, NodePath.layer]))
)

it.scopedLive("the beginning of an id names a session, and only those that begin so are read", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const ids = Array.from({ length: 620 }, (_, index) => SessionId.make(`ses_x${index}`))
    yield* Effect.gen(function* () {
      const gateway = yield* Gateway
      yield* Effect.forEach(ids, (id) => gateway.create({ id }), { concurrency: "unbounded", discard: true })
      let read = 0
      const counting = Gateway.of({
        ...gateway,
        sessions: (query) =>
          Effect.tap(gateway.sessions(query), ({ sessions }) => Effect.sync(() => (read += sessions.length)))
      })
      const find = (text: string) =>
        Effect.provideService(SessionLookup.find(SessionId.make(text)), Gateway, counting).pipe(
          Effect.catchTag("WrongUsage", ({ detail }) => Effect.succeed(detail)),
          Effect.catchTag("SessionNotFound", () => Effect.succeed("none"))
        )
      expect([yield* find("ses_x610"), read]).toEqual(["ses_x610", 0])
      expect([yield* find("x610"), read]).toEqual(["ses_x610", 1])
      expect([yield* find("X610"), yield* find("ses"), yield* find(`${"x".repeat(64)}`), read]).toEqual([
        "none",
        "none",
        "none",
        1
      ])
      expect(yield* find("ses_x30")).toBe("ses_x30")
      expect([yield* find("x61"), read]).toEqual([
        "x61 matches several session ids: ses_x619, ses_x618, ses_x617, ses_x616 and others",
        6
      ])
    }).pipe(Effect.provide(engineOn(data)))
  })
)
