import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema, TestClock } from "effect"
import { Permissions, type Run, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { open } from "./fixture.js"

/** A tool that waits at its gate, and how many of its calls run at the same time. */
const counted = (gate: Gate.Gate) => {
  const running = new Set<string>()
  const seen: Array<number> = []
  const wait = Tool.make("wait", { description: "waits", access: "read", input: { name: Schema.String } }).handle(
    ({ name }) =>
      Effect.acquireUseRelease(
        Effect.sync(() => seen.push(running.add(name).size)),
        () => gate.pass(name),
        () => Effect.sync(() => running.delete(name))
      ),
    { key: ({ name }) => name.slice(0, 1) }
  )
  return { wait, now: () => [...running].sort(), most: () => Math.max(...seen) }
}

/** With the same keys as `wait`, but a human is asked. */
const ask = Tool.make("ask", { description: "asks", input: { name: Schema.String } }).handle(() => Effect.void, {
  key: ({ name }) => name.slice(0, 1)
})

const limited = Effect.fnUntraced(function* (toolConcurrency: number | "unbounded", toolTimeoutMillis = 600_000) {
  const gate = yield* Gate.make
  const counts = counted(gate)
  const engine = yield* open({
    tools: [counts.wait, ask],
    policy: Permissions.askToWrite,
    config: { toolConcurrency, toolTimeoutMillis }
  })
  const callOf = (name: string) =>
    name.startsWith("?") ? ScriptedModel.call(ask, { name: name.slice(1) }) : ScriptedModel.call(counts.wait, { name })
  /** Starts a run that asks for these calls; a human is asked about those with a question mark. */
  const beginWith = (...names: ReadonlyArray<string>) =>
    Effect.zipRight(engine.model.play(ScriptedModel.calls(...names.map(callOf))), engine.begin("go"))
  /** Opens these gates and waits until the runs have ended. */
  const finish = Effect.fnUntraced(function* (names: ReadonlyArray<string>, ...runs: ReadonlyArray<Run.Ref>) {
    yield* engine.model.play(...runs.map(() => ScriptedModel.text("done")))
    for (const name of names) yield* gate.open(name)
    for (const run of runs) expect((yield* engine.gateway.await(run)).stopReason).toBe("completed")
  })
  return { ...engine, ...counts, gate, beginWith, finish }
})

describe("calls of one batch", () => {
  it.scoped("all run at the same time unless they share a key", () =>
    Effect.gen(function* () {
      const { beginWith, finish, gate, now } = yield* limited("unbounded")
      const run = yield* beginWith("a1", "b1", "a2", "c1")
      yield* Quiescence.idle
      expect(now()).toEqual(["a1", "b1", "c1"])
      yield* gate.open("a1")
      yield* gate.reached("a2")
      expect(now()).toEqual(["a2", "b1", "c1"])
      yield* finish(["a2", "b1", "c1"], run)
    })
  )

  it.scoped("never exceed the limit; the next one starts when one has ended", () =>
    Effect.gen(function* () {
      const { beginWith, finish, gate, most, now } = yield* limited(2)
      const run = yield* beginWith("a1", "b1", "c1", "d1")
      yield* Quiescence.idle
      expect(now()).toEqual(["a1", "b1"])
      yield* gate.open("b1")
      yield* gate.reached("c1")
      yield* Quiescence.idle
      expect(now()).toEqual(["a1", "c1"])
      yield* finish(["a1", "c1", "d1"], run)
      expect(most()).toBe(2)
    })
  )

  const waits: ReadonlyArray<readonly [what: string, width: number | "unbounded", names: ReadonlyArray<string>]> = [
    ["their key", "unbounded", ["a1", "a2", "a3", "a4"]],
    ["a slot", 1, ["a1", "b1", "c1", "d1"]]
  ]
  it.scoped.each(waits)("have their full time limit, however long they waited for %s", ([, width, names]) =>
    Effect.gen(function* () {
      const { beginWith, finish, gate, lines } = yield* limited(width, 1_000)
      const run = yield* beginWith(...names)
      for (const name of names) {
        yield* gate.reached(name)
        yield* TestClock.adjust("900 millis")
        if (name !== names.at(-1)) yield* gate.open(name)
      }
      yield* finish(names.slice(-1), run)
      const results = (yield* lines(run.sessionId)).filter((line) => line.startsWith("wait "))
      expect(results.map((line) => line.split(":")[0])).toEqual(names.map(() => "wait success"))
    })
  )

  it.scoped("a call that waits for a human or for its key's turn holds no slot", () =>
    Effect.gen(function* () {
      const { beginWith, finish, gate, gateway, now, seen } = yield* limited(2)
      const run = yield* beginWith("?a1", "a2", "a3", "a4", "b1", "c1")
      const { questionId } = yield* seen(run, "permission.asked")
      yield* Quiescence.idle
      expect(now()).toEqual(["b1", "c1"])
      for (const name of ["b1", "c1"]) yield* gate.open(name)
      yield* seen(run, "call.finished", 2)
      yield* gateway.answer({ questionId, verdict: "allow-once" })
      yield* finish(["a2", "a3", "a4"], run)
    })
  )

  it.scoped("of different runs have separate slots", () =>
    Effect.gen(function* () {
      const { beginWith, finish, gate, now } = yield* limited(1)
      const first = yield* beginWith("a1", "b1")
      yield* gate.reached("a1")
      const second = yield* beginWith("c1")
      yield* gate.reached("c1")
      expect(now()).toEqual(["a1", "c1"])
      yield* finish(["a1", "b1", "c1"], first, second)
    })
  )

  it.scoped("of the same key in another session run at the same time", () =>
    Effect.gen(function* () {
      const { beginWith, gate, now } = yield* limited("unbounded")
      yield* beginWith("a1")
      yield* gate.reached("a1")
      yield* beginWith("a2")
      yield* gate.reached("a2")
      expect(now()).toEqual(["a1", "a2"])
    })
  )
})
