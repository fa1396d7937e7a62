/** `skein audit`: who is named for what, in which order, and for what nobody is named. */
import { NodeFileSystem, NodePath } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { join } from "node:path"
import * as Audit from "../../../../src/adapters/cli/commands/audit.js"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Actor from "../../../../src/services/Actor.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import { folder } from "../../services/storage/disk.js"
import { engineOn, one, populate, repair, tamper } from "../sqlite/populated.js"
import { counted } from "../sqlite/statements.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

const audit = (data: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const request = CommandLine.read(["audit", ...args, "--data", data])
    if (request._tag !== "Call") return yield* Effect.dieMessage(request._tag)
    const screen = yield* FakeScreen.make()
    yield* Effect.provide(Audit.run(request.values), [screen.layer, NodeFileSystem.layer, NodePath.layer])
    return (yield* screen.output).split("\n").slice(0, -1)
  })

it.scopedLive("changes are told with whom they are stored with, in the order of their times", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const as = (name: string) => Actor.as(Actor.Actor.make(name))
    yield* Effect.gen(function* () {
      const gateway = yield* Gateway
      yield* (yield* ScriptedModel.ScriptedModel).play(ScriptedModel.text("done"))
      yield* as("ci\u001b[2J")(gateway.create({ id: SessionId.make("b"), title: "second" }))
      yield* gateway.create({ id: SessionId.make("a"), title: "nobody's" })
      yield* as("ada")(gateway.patch({ sessionId: SessionId.make("a"), title: "first\nline" }))
      const run = yield* as("ci")(gateway.send({ sessionId: SessionId.make("b"), text: "go" }))
      yield* gateway.await(run)
    }).pipe(Effect.provide(engineOn(data)))
    const lines = yield* audit(data)
    const told = lines.map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d {2}/, "").replace(/run_\w+/, "RUN"))
    expect(told.map((line) => line.replace(/ {2,}/g, "  "))).toEqual([
      expect.stringMatching(/^ci\S+ {2}b {2}created the session second$/),
      expect.stringMatching(/^ada {2}a {2}renamed the session first.line$/u),
      "ci  b  started RUN",
      "ci  b  wrote message 1 as user"
    ])
    expect(lines.join()).not.toContain("\u001b")
    expect(yield* audit(data, "--session", "a")).toHaveLength(1)
    const json = yield* audit(data, "--session", "a", "--json")
    expect(json.map((line): unknown => JSON.parse(line))).toMatchObject([{ type: "session.renamed", actor: "ada" }])
    expect(yield* audit(data, "--since", "5m")).toHaveLength(4)
    const year = new Date((yield* Clock.currentTimeMillis) + 400 * 86_400_000).getUTCFullYear()
    expect(yield* audit(data, "--since", `${year}-12-31`)).toEqual(["No changes with a named author"])
  })
)

it.scopedLive("a session that was repaired has no events, and what is changed later is told", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    yield* Actor.as(Actor.Actor.make("ada"))(populate(data))
    expect(yield* audit(data, "--session", one)).not.toEqual(["No changes with a named author"])
    tamper(data, "UPDATE messages SET body = 'damaged' WHERE session = 1 AND seq = 1")
    yield* repair(data)
    expect(yield* audit(data, "--session", one)).toEqual(["No changes with a named author"])
    yield* Gateway.pipe(
      Effect.flatMap((gateway) => gateway.patch({ sessionId: one, title: "again" })),
      Actor.as(Actor.Actor.make("ada")),
      Effect.provide(engineOn(data))
    )
    expect(yield* audit(data, "--session", one)).toEqual([expect.stringContaining("renamed the session again")])
  })
)

it.scopedLive("of sessions that have not changed since then, nothing is read", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const create = (...names: ReadonlyArray<string>) =>
      Effect.flatMap(Gateway, (gateway) =>
        Effect.forEach(names, (id) => gateway.create({ id: SessionId.make(id) }), { concurrency: "unbounded" })
      ).pipe(Actor.as(Actor.Actor.make("ada")), Effect.provide(engineOn(data)))
    yield* create("new")
    const [lines, few] = yield* counted(audit(data, "--since", "1h"))
    expect(lines).toEqual([expect.stringContaining("new  created the session")])
    yield* create(...Array.from({ length: 600 }, (_, n) => `old${n}`))
    tamper(
      data,
      "UPDATE session_rows SET updated_at = 1 WHERE id <> 'new'",
      "UPDATE event_rows SET at = 1 WHERE session <> 1"
    )
    expect(yield* counted(audit(data, "--since", "1h"))).toEqual([lines, few])
  })
)
