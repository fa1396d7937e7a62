import { describe, expect, it } from "@effect/vitest"
import { Data, Effect, Schema, Stream, TestClock } from "effect"
import { Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import type * as Script from "../../../../src/domain/Script.js"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { open } from "./fixture.js"

const tool = <E>(run: () => Effect.Effect<unknown, E, Tool.Call>) =>
  Tool.make("bad", { description: "bad", input: {} }).handle(run)

const good = Tool.make("good", { description: "good", input: {} }).handle(() => Effect.succeed("fine"))

const circular: { self?: unknown } = {}
circular.self = circular

class Silent extends Data.TaggedError("Silent")<{ readonly code: number }> {}

class Hostile extends Error {
  override get message(): string {
    throw new Error("no message for you")
  }
}

/** One call of a bad tool between two calls of a good one. */
const sandwich = Effect.fnUntraced(function* (
  bad: Tool.Tool<"bad", never, unknown, unknown, never>,
  asked: Partial<Script.Call> = {}
) {
  const engine = yield* open({ tools: [bad, good] })
  const call = ScriptedModel.call(good, {})
  yield* engine.model.play(
    ScriptedModel.calls(call, { name: "bad", input: "{}", ...asked }, call),
    ScriptedModel.text("done")
  )
  return { ...engine, run: yield* engine.begin("go") }
})
type Sandwich = Effect.Effect.Success<ReturnType<typeof sandwich>>

/** Checks that the run went on to its end with this result between two good ones, and that the model was told. */
const expectResult = Effect.fnUntraced(function* ({ gateway, model, run, transcript }: Sandwich) {
  expect((yield* gateway.await(run)).stopReason).toBe("completed")
  const results = (yield* transcript(run.sessionId)).flatMap(({ message }) =>
    message.role === "tool" ? [message] : []
  )
  expect(results.map(({ outcome }) => outcome === "success")).toEqual([true, expect.any(Boolean), true])
  const view = (yield* model.requests)[1]?.view ?? []
  expect(complaints(view)).toEqual([])
  const told = view.flatMap((item) => (item.role === "tool" ? item.results : []))
  const [, bad] = results
  const text = bad?.text === "" ? "[no output]" : bad?.text
  expect(told[1]).toMatchObject({ text, isError: bad?.outcome !== "success" })
  return bad
})

const cases: ReadonlyArray<readonly [what: string, bad: ReturnType<typeof tool>, line: string]> = [
  ["fails", tool(() => Effect.fail(new Error("disk on fire"))), "failure: The tool failed: disk on fire"],
  ["fails with a text", tool(() => Effect.fail("no luck")), "failure: The tool failed: no luck"],
  ["fails with a value", tool(() => Effect.fail({ code: 7 })), 'failure: The tool failed: {"code":7}'],
  ["fails with nothing", tool(() => Effect.fail(undefined)), "failure: The tool failed: undefined"],
  ["fails with an error without a text", tool(() => new Silent({ code: 7 })), "failure: The tool failed: Silent"],
  ["fails with a value that has no JSON", tool(() => Effect.fail(circular)), 'failure: The tool failed: {"self":{}}'],
  ["fails with a number that JSON lacks", tool(() => Effect.fail(7n)), "failure: The tool failed: 7"],
  [
    "fails with an error whose message throws",
    tool(() => Effect.fail(new Hostile())),
    "failure: The tool failed: object"
  ],
  ["dies", tool(() => Effect.dieMessage("bug")), "defect: The tool broke: bug"],
  [
    "throws",
    tool(() => {
      throw new TypeError("x is undefined")
    }),
    "defect: The tool broke: x is undefined"
  ],
  ["dies with an error whose message throws", tool(() => Effect.die(new Hostile())), "defect: The tool broke: object"],
  [
    "interrupts itself",
    tool(() => Effect.interrupt),
    "interrupted: The tool was interrupted. Its effects are unknown."
  ],
  ["returns nothing", tool(() => Effect.void), "success: "],
  [
    "has an output that its schema refuses",
    Tool.make("bad", { description: "bad", input: {}, output: Schema.NonEmptyString }).handle(() => Effect.succeed("")),
    'failure: The tool failed: expected a text that is not empty, got ""'
  ],
  [
    "cannot name its key",
    Tool.make("bad", { description: "bad", input: {} }).handle(() => Effect.void, {
      key: () => {
        throw new Error("no key")
      }
    }),
    "defect: The tool broke while it read its input: no key"
  ]
]

describe("P4 a bad tool yields one bounded result", () => {
  for (const [what, bad, line] of cases) {
    it.scoped(`P4 a tool that ${what}: siblings finish, the model gets a result`, () =>
      Effect.gen(function* () {
        const result = yield* expectResult(yield* sandwich(bad))
        expect(`${result?.outcome}: ${result?.text}`).toBe(line)
      })
    )
  }

  const quick = tool(() => Effect.succeed("ran"))
  const strict = Tool.make("bad", { description: "bad", input: { count: Schema.Number } }).handle(() => Effect.void)
  const asked: ReadonlyArray<readonly [string, typeof quick | typeof strict, Partial<Script.Call>, string, RegExp]> = [
    ["cut arguments", quick, { input: '{"a":' }, "invalid-input", /^The input of bad is not valid: not JSON/],
    ["arguments that are not JSON", quick, { input: "rm -rf" }, "invalid-input", /not JSON/],
    ["arguments that are not an object", strict, { input: "[]" }, "invalid-input", /expected an object, got a list$/],
    ["arguments of the wrong type", strict, { input: '{"count":"x"}' }, "invalid-input", /count/],
    ["arguments that lack a field", strict, { input: "{}" }, "invalid-input", /is missing/],
    ["blank arguments", quick, { input: " " }, "success", /^ran$/],
    [
      "the name of an unknown tool",
      quick,
      { name: "worse" },
      "unknown-tool",
      /^There is no tool worse\. Tools: bad, good$/
    ],
    ["no name of a tool", quick, { name: "" }, "unknown-tool", /^The call names no tool\. Tools: bad, good$/],
    ["the name of an impossible tool", quick, { name: "ls -la\n😀" }, "unknown-tool", /^There is no tool ls -la/]
  ]
  for (const [what, bad, call, outcome, text] of asked) {
    it.scoped(`P4 a call with ${what} gets a result; siblings finish`, () =>
      Effect.gen(function* () {
        const result = yield* expectResult(yield* sandwich(bad, call))
        expect(result?.outcome).toBe(outcome)
        expect(result?.text).toMatch(text)
      })
    )
  }

  const reading: ReadonlyArray<readonly [what: string, prepare: Effect.Effect<never>, line: RegExp]> = [
    [
      "interrupts itself while it reads its input",
      Effect.interrupt,
      /^bad defect: The tool broke while it read its input: /
    ],
    ["never finishes reading its input", Effect.never, /^bad timeout: Reading the call's input took too long/]
  ]
  for (const [what, prepare, line] of reading) {
    it.scoped(`P4 a tool that ${what}: siblings finish, the model gets a result`, () =>
      Effect.gen(function* () {
        const bad = Tool.dynamic("bad", { description: "", access: "read", inputSchema: {} }).handle(() => prepare)
        const { begin, gateway, lines, model } = yield* open({
          tools: [good, { ...bad, prepare: () => prepare }],
          // The lease outlives the wait, so that the clock need not stop for each renewal.
          config: { leaseMillis: 3_600_000 }
        })
        yield* model.play(ScriptedModel.calls({ name: "bad", input: {} }, ScriptedModel.call(good, {})))
        yield* model.play(ScriptedModel.text("done"))
        const run = yield* begin("go")
        yield* Quiescence.idle
        yield* TestClock.adjust("10 minutes")
        expect((yield* gateway.await(run)).stopReason).toBe("completed")
        const [result, sibling] = (yield* lines(run.sessionId)).slice(2)
        expect(result).toMatch(line)
        expect(sibling).toBe("good success: fine")
      })
    )
  }

  it.scoped("P4 without any tools, the model learns that there are none", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model } = yield* open()
      yield* model.play(ScriptedModel.calls({ name: "ls", input: {} }), ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId))[2]).toBe("ls unknown-tool: There is no tool ls. There are none.")
    })
  )

  it.scoped("P4 a provider's call id that comes again is made unique for the model", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open({ tools: [good] })
      const step = ScriptedModel.calls(ScriptedModel.call(good, {}))
      yield* model.play(step, { ...step, text: "again" }, ScriptedModel.text("done"))
      yield* gateway.await(yield* begin("go"))
      const view = (yield* model.requests)[2]?.view ?? []
      expect(complaints(view)).toEqual([])
      const ids = view.flatMap((item) => (item.role === "tool" ? item.results.map(({ id }) => id) : []))
      expect(ids[0]).toBe("scripted_1")
      expect(new Set(ids).size).toBe(2)
    })
  )
})

describe("P4 a result is bounded", () => {
  it.scoped("P4 a result of 50 MB reaches the model shortened, and is kept whole as an asset", () =>
    Effect.gen(function* () {
      const whole = "0123456789".repeat(5 * 1024 * 1024)
      const engine = yield* sandwich(tool(() => Effect.succeed(whole)))
      const result = yield* expectResult(engine)
      expect(result?.outcome).toBe("success")
      expect(result?.text.length).toBeLessThan(30_200)
      expect(result?.text.startsWith("0123456789")).toBe(true)
      const [asset] = yield* engine.gateway.assets(engine.run.sessionId)
      expect(asset).toMatchObject({ id: result?.assetId, size: whole.length, mediaType: "text/plain", name: "bad.txt" })
      expect(result?.text).toContain(`[The whole text is kept as asset ${result?.assetId}.]`)
    })
  )

  it.scoped("P4 a result that is too large even for an asset is still cut", () =>
    Effect.gen(function* () {
      const long = tool(() => Effect.succeed("x".repeat(1_000)))
      const { begin, gateway, model, transcript } = yield* open({
        tools: [long],
        config: { limits: { resultCharacters: 100, assetBytes: 500 } }
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(long, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      const message = (yield* transcript(run.sessionId))[2]?.message
      expect(message).not.toHaveProperty("assetId")
      expect(message).toMatchObject({ outcome: "success", text: expect.stringContaining("900 characters left out") })
      expect(yield* gateway.assets(run.sessionId)).toEqual([])
    })
  )

  it.scoped("P4 an error's text is bounded too", () =>
    Effect.gen(function* () {
      const result = yield* expectResult(yield* sandwich(tool(() => Effect.fail(new Error("x".repeat(100_000))))))
      expect(result?.outcome).toBe("failure")
      expect(result?.text.length).toBeLessThan(30_200)
    })
  )
})

/**
 * A tool that waits at the gate of its name and cannot be interrupted, and a tool with the same key that does not wait.
 */
const stubborn = Effect.gen(function* () {
  const gate = yield* Gate.make
  const stubborn = Tool.make("stubborn", { description: "never gives up", input: {} }).handle(
    () => Effect.uninterruptible(Effect.zipRight(gate.pass("stubborn"), Tool.progress("late"))),
    { key: () => "file", timeout: "1 second" }
  )
  const next = Tool.make("next", { description: "same key", input: {} }).handle(() => Effect.succeed("ran"), {
    key: () => "file",
    timeout: "1 minute"
  })
  const engine = yield* open({ tools: [stubborn, next, good] })
  return { ...engine, gate, stubborn, next }
})

describe("P4 a tool that takes too long", () => {
  it.scoped("P4 is given up at its limit, and not before", () =>
    Effect.gen(function* () {
      const never = Tool.make("bad", { description: "bad", input: {} }).handle(() => Effect.never, {
        timeout: "90 seconds"
      })
      const engine = yield* sandwich(never)
      yield* engine.seen(engine.run, "call.finished", 2)
      yield* TestClock.adjust("89 seconds")
      expect((yield* engine.gateway.snapshot(engine.run.sessionId)).batch.calls).toHaveLength(1)
      yield* TestClock.adjust("1 second")
      const result = yield* expectResult(engine)
      expect(result?.outcome).toBe("timeout")
      expect(result?.text).toBe("The tool did not finish within 1m 30s and was given up. Its effects are unknown.")
    })
  )

  it.scoped("P4 has the engine's limit when it has none of its own, and is interrupted", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const never = tool(() => Effect.onInterrupt(Effect.never, () => gate.pass("interrupted")))
      const { begin, gateway, lines, model } = yield* open({
        tools: [never],
        config: { toolTimeoutMillis: 5_000 }
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(never, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* Quiescence.idle
      yield* TestClock.adjust("5 seconds")
      yield* gate.reached("interrupted")
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId))[2]).toMatch(/^bad timeout: The tool did not finish within 5s/)
      yield* gate.open("interrupted")
    })
  )

  it.scoped("P4 and ignores interruption: the run goes on, its key stays held, its late progress is dropped", () =>
    Effect.gen(function* () {
      const { begin, gate, gateway, lines, model, next, seen, stubborn: tool } = yield* stubborn
      yield* model.play(
        ScriptedModel.calls(ScriptedModel.call(tool, {}), ScriptedModel.call(good, {})),
        ScriptedModel.calls(ScriptedModel.call(next, {}), ScriptedModel.call(good, {})),
        ScriptedModel.text("done")
      )
      const run = yield* begin("go")
      yield* gate.reached("stubborn")
      yield* TestClock.adjust("1 second")
      yield* seen(run, "call.finished", 3)
      yield* Quiescence.idle
      const waiting = yield* gateway.snapshot(run.sessionId)
      expect(waiting.batch.calls.map(({ name, state }) => `${name} ${state}`)).toEqual(["next pending"])
      yield* gate.open("stubborn")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect(yield* lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: (stubborn)(good)",
        "stubborn timeout: The tool did not finish within 1s and was given up. Its effects are unknown.",
        "good success: fine",
        "assistant: (next)(good)",
        "next success: ran",
        "good success: fine",
        "assistant: done"
      ])
      const types = yield* gateway.events({ sessionId: run.sessionId }).pipe(
        Stream.takeUntil(({ type }) => type === "run.ended"),
        Stream.map(({ type }) => type),
        Stream.runCollect
      )
      expect([...types]).not.toContain("call.progress")
    })
  )

  it.scoped("P4 and keeps its key: a later call of the key closes at its own limit as never started", () =>
    Effect.gen(function* () {
      const { begin, gate, gateway, lines, model, next, stubborn: tool } = yield* stubborn
      yield* model.play(
        ScriptedModel.calls(ScriptedModel.call(tool, {}), ScriptedModel.call(next, {})),
        ScriptedModel.text("done")
      )
      const run = yield* begin("go")
      yield* gate.reached("stubborn")
      yield* TestClock.adjust("1 minute")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* lines(run.sessionId))[3]).toBe(
        "next never-started: Never started: an earlier call of the same key was given up, and has still not ended after 1m."
      )
      yield* gate.open("stubborn")
    })
  )

  it.scoped("P4 a cancel waits for no tool, not even one that ignores it", () =>
    Effect.gen(function* () {
      const { begin, gate, gateway, lines, model, stubborn: tool } = yield* stubborn
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {}), ScriptedModel.call(good, {})))
      const run = yield* begin("go")
      yield* gate.reached("stubborn")
      yield* gateway.cancel(run.runId)
      expect((yield* gateway.run(run.runId)).stopReason).toBe("cancelled")
      expect((yield* lines(run.sessionId)).slice(2)).toEqual([
        "stubborn interrupted: Interrupted: this call had started and did not finish. Its effects are unknown: check them before you repeat it.",
        "good success: fine"
      ])
      yield* gate.open("stubborn")
    })
  )

  it.scoped("P4 the late progress and result of an abandoned call do not reach the next run", () =>
    Effect.gen(function* () {
      const { begin, gate, gateway, lines, model, seen, send, stubborn: tool } = yield* stubborn
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), { text: "half", hang: true })
      const first = yield* begin("go")
      yield* gate.reached("stubborn")
      yield* gateway.cancel(first.runId)
      const second = yield* send(first.sessionId, "on")
      yield* seen(second, "text.delta")
      yield* gate.open("stubborn")
      yield* Quiescence.idle
      const { live } = yield* gateway.snapshot(first.sessionId)
      expect(live?.progress.size).toBe(0)
      expect(yield* lines(first.sessionId)).toHaveLength(4)
    })
  )
})
