import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import { folder } from "../../unit/services/storage/disk.js"
import * as Child from "./Child.js"
import { lock } from "./Lock.js"

const hanging = SessionId.make("hanging")
const halfway = SessionId.make("halfway")

/** Two processes on one folder; the first has a run whose model never ends. */
const running = (session: SessionId, leaseMillis = 15_000) =>
  Effect.gen(function* () {
    const data = yield* folder
    const one = yield* Child.open(data, { leaseMillis })
    const other = yield* Child.open(data, { leaseMillis })
    yield* one.get({ do: "create", session })
    const run = Schema.decodeUnknownSync(RunId)(yield* one.get({ do: "send", session, text: "go", key: "k1" }))
    const end = (child: Child.Child) => child.get({ do: "await", session, run })
    return { one, other, run, end }
  })

it.scopedLive("P3 P9 many processes: a cancel reaches the process that has the run, and returns with its end", () =>
  Effect.gen(function* () {
    const { end, one, other, run } = yield* running(hanging)
    const ended = yield* Effect.fork(end(one))
    yield* other.get({ do: "cancel", run })
    for (const child of [one, other]) expect(yield* child.get({ do: "look", run })).toMatchObject({ state: "ended" })
    expect(yield* end(other)).toBe("cancelled")
    expect(yield* Fiber.join(ended)).toBe("cancelled")
  })
)

it.scopedLive(
  "P7 P9 many processes: a delete stops the run in the process that has it, and the session is gone in both",
  () =>
    Effect.gen(function* () {
      const { one, other } = yield* running(hanging)
      yield* other.get({ do: "delete", session: hanging })
      for (const child of [one, other]) {
        expect(yield* child.refused({ do: "read", session: hanging })).toMatchObject({ _tag: "SessionNotFound" })
      }
      expect(yield* one.refused({ do: "send", session: hanging, text: "again", key: "k2" })).toMatchObject({
        _tag: "SessionNotFound"
      })
    })
)

it.scopedLive("P9 many processes: what a running step has written so far is heard in another process", () =>
  Effect.gen(function* () {
    const { other, run } = yield* running(halfway)
    const heard = yield* other.get({ do: "hear", session: halfway, type: "text.delta" })
    expect(heard).toMatchObject({ value: { runId: run, offset: 0, text: "So far" } })
  })
)

it.scopedLive("P9 many processes: a killed process's run is taken over at once when another one sends a message", () =>
  Effect.gen(function* () {
    // A lease that outlasts the test.
    const { end, one, other } = yield* running(hanging, 600_000)
    yield* one.kill
    yield* other.get({ do: "send", session: hanging, text: "again", key: "k2" })
    expect(yield* end(other)).toBe("crashed")
  })
)

it.scopedLive("P9 many processes: a list shows a killed process's runs as crashed, and a living one's as running", () =>
  Effect.gen(function* () {
    const { one, other } = yield* running(hanging)
    const session = SessionId.make("hanging-on")
    yield* other.get({ do: "create", session })
    yield* other.get({ do: "send", session, text: "go", key: "k2" })
    const of = ["running", "crashed"] as const
    expect(yield* other.get({ do: "activities", of })).toEqual({ hanging: "running", "hanging-on": "running" })
    yield* one.kill
    expect(yield* other.get({ do: "activities", of })).toEqual({ hanging: "crashed", "hanging-on": "running" })
    expect(yield* other.get({ do: "activities", of: ["crashed"] })).toEqual({ hanging: "crashed" })
    expect(yield* other.get({ do: "activities", of: ["running"] })).toEqual({ "hanging-on": "running" })
  })
)

it.scopedLive("P9 many processes: a process that is stopped past its lease writes nothing more when it wakes up", () =>
  Effect.gen(function* () {
    const { end, one, other } = yield* running(halfway, 600)
    const again = (key: string) => ({ do: "send", session: halfway, text: "again", key }) as const
    yield* one.get({ do: "hear", session: halfway, type: "text.delta" })
    yield* one.signal("SIGSTOP")
    const ended = yield* Effect.fork(end(other))
    expect(yield* Fiber.join(ended)).toBe("lease-lost")
    expect(yield* other.get({ do: "read", session: halfway })).toEqual(["go"])
    yield* one.signal("SIGCONT")
    // The partial text was not kept, because the lease was lost.
    expect(yield* end(one)).toBe("lease-lost")
    yield* one.get({ do: "ping" })
    expect(yield* other.get({ do: "read", session: halfway })).toEqual(["go"])
    yield* other.get(again("k2"))
    expect(yield* one.refused(again("k3"))).toMatchObject({ _tag: "SessionBusy" })
  })
)

it.scopedLive(
  "P9 many hosts: an engine stopped past its lease interrupts its tools before they do more, twice in a row",
  () =>
    Effect.gen(function* () {
      const data = yield* folder
      const setup = { hosts: "many", leaseMillis: 1_500 } as const
      const one = yield* Child.open(data, setup)
      const other = yield* Child.open(data, setup)
      for (let time = 1; time <= 2; time++) {
        const session = SessionId.make(`beating-${time}`)
        yield* one.get({ do: "create", session })
        const run = RunId.make(String(yield* one.get({ do: "send", session, text: "go", key: "k" })))
        yield* Effect.repeat(one.get({ do: "wait", millis: 20 }), { until: () => existsSync(join(data, "began")) })
        yield* one.signal("SIGSTOP")
        expect(yield* other.get({ do: "await", session, run })).toBe("lease-lost")
        const told = yield* other.get({ do: "types", session })
        yield* one.signal("SIGCONT")
        expect(yield* one.get({ do: "await", session, run })).toBe("lease-lost")
        yield* one.get({ do: "wait", millis: 100 })
        expect(existsSync(join(data, "went-on"))).toBe(false)
        expect(yield* other.get({ do: "types", session })).toEqual(told)
        rmSync(join(data, "began"))
      }
    })
)

it.scopedLive("P9 many processes: a living engine keeps its run for many times its lease, even while others wait", () =>
  Effect.gen(function* () {
    const { end, one, other, run } = yield* running(hanging, 300)
    const ended = yield* Effect.fork(end(other))
    yield* one.get({ do: "wait", millis: 1_500 })
    expect(ended.unsafePoll()).toBeNull()
    yield* one.get({ do: "cancel", run })
    expect(yield* Fiber.join(ended)).toBe("cancelled")
  })
)

it.scopedLive(
  "P9 many processes: a lock that is held for longer than a lease takes no run from its engine, three times in a row",
  () =>
    Effect.gen(function* () {
      const data = yield* folder
      const leaseMillis = 1_000
      const one = yield* Child.open(data, { leaseMillis })
      const other = yield* Child.open(data, { leaseMillis })
      const session = SessionId.make("shell")
      yield* one.get({ do: "create", session })
      yield* other.get({ do: "create", session: Child.s1 })
      const file = join(data, "go")
      const text = `until test -e ${file}; do sleep 0.05; done`
      const run = Schema.decodeUnknownSync(RunId)(yield* one.get({ do: "send", session, text, key: "k" }))
      yield* one.get({ do: "hear", session, type: "call.started" })
      const ended = yield* Effect.fork(other.get({ do: "await", session, run }))
      for (let time = 1; time <= 3; time++) {
        const unlock = yield* lock(data)
        yield* one.get({ do: "wait", millis: 1.6 * leaseMillis })
        yield* unlock
        // Wait until both have had their turn; the next lock must not overlap with this one.
        for (const child of [other, one]) {
          yield* child.get({ do: "append", session: Child.s1, name: `${time}`, count: 1, bytes: 1, atOnce: false })
        }
        expect(ended.unsafePoll()).toBeNull()
      }
      writeFileSync(file, "")
      expect(yield* Fiber.join(ended)).toBe("completed")
      expect(yield* one.get({ do: "read", session })).toHaveLength(4)
      expect(yield* one.get({ do: "types", session })).not.toContain("run.released")
    })
)

it.scopedLive("P9 many processes: a lease lasts as long as its own engine says, whoever checks it", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const one = yield* Child.open(data, { leaseMillis: 60_000 })
    const hasty = yield* Child.open(data, { leaseMillis: 300, recoverMillis: 100 })
    yield* one.get({ do: "create", session: hanging })
    const send = (text: string) => ({ do: "send", session: hanging, text, key: text }) as const
    const run = yield* one.get(send("go"))
    yield* one.get({ do: "wait", millis: 400 })
    // A send waits until the lease is known to be held, or is over.
    expect(yield* hasty.refused(send("mine"))).toMatchObject({ _tag: "SessionBusy", runId: run })
    expect(yield* hasty.get({ do: "recover" })).toEqual([])
  })
)
