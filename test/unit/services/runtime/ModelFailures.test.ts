import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Stream, TestClock } from "effect"
import { type Message, Model, type Run, SessionEvent, Tool, Usage } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { ModelFailed } from "../../../../src/domain/SkeinError.js"
import { ground } from "./engines.js"
import { open, type Opened } from "./fixture.js"

const failed = (text: string, reason: ModelFailed["reason"], retryAfterMillis?: number) => ({
  text,
  failure: { reason, ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }) }
})

/** What a watcher is told about a run from now on, to its end. */
const watch = ({ gateway }: Opened, run: Run.Ref) =>
  gateway
    .events({ sessionId: run.sessionId, after: run.cursor })
    .pipe(
      Stream.takeUntil(SessionEvent.is("run.ended")),
      Stream.runCollect,
      Effect.map(Chunk.toReadonlyArray),
      Effect.fork
    )

/** Waits out the delay that the `nth` retry announced. */
const waitOut = ({ seen }: Opened, run: Run.Ref) =>
  Effect.flatMap(seen(run, "run.retrying"), ({ delayMillis }) => Effect.as(TestClock.adjust(delayMillis), delayMillis))

describe("a model step that fails", () => {
  for (const reason of ["rate-limited", "overloaded", "unreachable", "cut", "silent"] as const) {
    it.scoped(`as ${reason} is tried again, and its text starts over`, () =>
      Effect.gen(function* () {
        const engine = yield* open()
        yield* engine.model.play(failed("hal", reason), ScriptedModel.text("whole"))
        const run = yield* engine.begin("go")
        const watcher = yield* watch(engine, run)
        yield* Quiescence.idle
        expect(yield* engine.model.requests).toHaveLength(1)
        yield* waitOut(engine, run)
        expect((yield* engine.gateway.await(run)).stopReason).toBe("completed")
        expect(yield* engine.lines(run.sessionId)).toEqual(["user: go", "assistant: whole"])
        const told = (yield* watcher).flatMap((event) =>
          event.type === "text.delta"
            ? [`${event.offset} ${event.text}`]
            : event.type === "run.retrying"
              ? [`try ${event.attempt}: ${event.reason}`]
              : []
        )
        expect(told).toEqual(["0 hal", `try 2: ${reason}`, "0 whole"])
        const [first, second] = yield* engine.model.requests
        expect(second?.view).toEqual(first?.view)
      })
    )
  }

  for (const reason of ["rejected", "unauthorized", "malformed"] as const) {
    it.scoped(`as ${reason} ends the run as failed with the reason, and keeps what was written`, () =>
      Effect.gen(function* () {
        const { begin, gateway, lines, model } = yield* open()
        yield* model.play({ text: "half", failure: { reason, status: 400, detail: "bad request" } })
        const run = yield* begin("go")
        expect(yield* gateway.await(run)).toMatchObject({
          state: "ended",
          stopReason: "failed",
          detail: `Model script/queue failed: ${reason} (400): bad request`
        })
        expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: half …"])
        expect(yield* model.requests).toHaveLength(1)
      })
    )
  }

  it.scoped("is tried as often as configured, and the last attempt's text is kept", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model } = yield* open({ config: { modelAttempts: 3 } })
      yield* model.play(failed("a", "overloaded"), failed("b", "overloaded"), failed("c", "overloaded"))
      const run = yield* begin("go")
      for (const _ of [1, 2]) {
        yield* Quiescence.idle
        yield* TestClock.adjust("30 seconds")
      }
      expect(yield* gateway.await(run)).toMatchObject({
        stopReason: "failed",
        detail: "Model script/queue failed: overloaded: as scripted"
      })
      expect(yield* model.requests).toHaveLength(3)
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: c …"])
    })
  )

  it.scoped("waits half a second, then twice as long each time, give or take a fifth, up to the limit", () =>
    Effect.gen(function* () {
      const engine = yield* open({ config: { modelAttempts: 6, modelRetryMaxMillis: 3_000 } })
      const failures = [1, 2, 3, 4, 5].map(() => failed("", "overloaded"))
      yield* engine.model.play(...failures, ScriptedModel.text("done"))
      const run = yield* engine.begin("go")
      const delays: Array<number> = []
      for (const _ of failures) {
        yield* Quiescence.idle
        delays.push(yield* waitOut(engine, run))
      }
      expect((yield* engine.gateway.await(run)).stopReason).toBe("completed")
      const bounds = [500, 1_000, 2_000, 3_000, 3_000]
      for (const [index, delay] of delays.entries()) {
        const bound = bounds[index] ?? 0
        expect(delay).toBeGreaterThanOrEqual(Math.min(bound * 0.8, 3_000))
        expect(delay).toBeLessThanOrEqual(Math.min(bound * 1.2, 3_000))
      }
    })
  )

  it.scoped("waits as long as the provider asks for, but not longer than the limit", () =>
    Effect.gen(function* () {
      const engine = yield* open({ config: { modelRetryMaxMillis: 20_000 } })
      const { begin, gateway, model } = engine
      yield* model.play(failed("", "rate-limited", 7_000), ScriptedModel.text("done"))
      const run = yield* begin("go")
      expect(yield* waitOut(engine, run)).toBe(7_000)
      yield* gateway.await(run)
      yield* model.play(failed("", "rate-limited", 1e12), ScriptedModel.text("done"))
      const other = yield* begin("go")
      expect(yield* waitOut(engine, other)).toBe(20_000)
      yield* gateway.await(other)
    })
  )

  it.scoped("can be cancelled while it waits for the next attempt", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, seen } = yield* open()
      yield* model.play(failed("half", "overloaded"))
      const run = yield* begin("go")
      yield* seen(run, "run.retrying")
      yield* gateway.cancel(run.runId)
      expect((yield* gateway.run(run.runId)).stopReason).toBe("cancelled")
      expect(yield* model.requests).toHaveLength(1)
    })
  )
})

const modelOf = (stream: Stream.Stream<Model.Part, ModelFailed>) =>
  Model.always({ provider: "test", model: "odd", contextTokens: null, step: () => stream })

const text = (delta: string): Model.Part => ({ type: "text", id: "t", delta })

describe("a model stream that", () => {
  it.scoped("ends without a finish counts as cut, and is tried again", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      const engine = yield* open("a", { models: modelOf(Stream.make(text("half"))), config: { modelAttempts: 2 } })
      const run = yield* engine.begin("go")
      const waiting = yield* Effect.fork(waitOut(engine, run))
      expect(yield* engine.seen(run, "run.retrying")).toMatchObject({ reason: "cut", attempt: 2 })
      yield* Fiber.join(waiting)
      expect(yield* engine.gateway.await(run)).toMatchObject({
        stopReason: "failed",
        detail: "Model test/odd failed: cut: the stream ended without a finish"
      })
      expect(yield* engine.lines(run.sessionId)).toEqual(["user: go", "assistant: half …"])
    })
  )

  it.scoped("dies fails the run, keeps the text and reveals only the defect's type", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      const stream = Stream.concat(Stream.make(text("half")), Stream.die(new TypeError("key sk-secret")))
      const { begin, gateway, lines } = yield* open("a", { models: modelOf(stream) })
      const run = yield* begin("go")
      expect(yield* gateway.await(run)).toMatchObject({ stopReason: "failed", detail: "the run broke: TypeError" })
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: half …"])
    })
  )

  it.scoped("writes more than a message may hold is stopped while it writes, and is not tried again", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      let written = 0
      const endless = Stream.repeatEffect(Effect.sync(() => text(`${++written}`.padEnd(100))))
      const limits = { messageBytes: 1_000 }
      const { begin, gateway } = yield* open("a", { models: modelOf(endless), config: { limits } })
      expect((yield* gateway.await(yield* begin("go"))).detail).toBe(
        "Model test/odd failed: malformed: the answer has more than 1000 bytes"
      )
      expect(written).toBeLessThan(50)
    })
  )

  it.scoped("ends with a call unfinished or all calls missing counts as cut, and is tried again", () =>
    Effect.gen(function* () {
      const call: Model.Part = { type: "call", index: 0, name: "ls", input: "{}", providerCallId: "p" }
      const finish = (reason: Message.FinishReason): Model.Part => ({ type: "finish", reason, usage: Usage.unknown })
      for (const [parts, detail] of [
        [[{ type: "call.delta", index: 0, name: "ls", delta: "" }, finish("tool-calls")], "a call was not finished"],
        [[call, { type: "call.delta", index: 1, name: "ls", delta: "{}" }, finish("stop")], "a call was not finished"],
        [[finish("tool-calls")], "the calls that it ends with are missing"]
      ] as const) {
        const { open } = yield* ground
        const models = modelOf(Stream.fromIterable([text("I call"), ...parts]))
        const engine = yield* open("a", { models, config: { modelAttempts: 2 } })
        const run = yield* engine.begin("go")
        const waiting = yield* Effect.fork(waitOut(engine, run))
        expect(yield* engine.seen(run, "run.retrying")).toMatchObject({ reason: "cut", attempt: 2 })
        yield* Fiber.join(waiting)
        expect(yield* engine.gateway.await(run)).toMatchObject({
          stopReason: "failed",
          detail: `Model test/odd failed: cut: ${detail}`
        })
        expect(yield* engine.lines(run.sessionId)).toEqual(["user: go", "assistant: I call …"])
      }
    })
  )

  it.scoped("has two calls under one index fails as malformed: neither is run", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      const call = (input: string): Model.Part => ({ type: "call", index: 0, name: "ls", input, providerCallId: "p" })
      const parts = [
        call("{}"),
        call('{"path":"/"}'),
        { type: "finish", reason: "stop", usage: Usage.unknown } as const
      ]
      const { begin, gateway, lines } = yield* open("a", { models: modelOf(Stream.fromIterable(parts)) })
      const run = yield* begin("go")
      expect((yield* gateway.await(run)).detail).toBe("Model test/odd failed: malformed: two calls have the same index")
      expect(yield* lines(run.sessionId)).toEqual(["user: go"])
    })
  )
})

describe("a model step that was stopped", () => {
  const wipe = Tool.dynamic("wipe", {
    description: "wipes all",
    inputSchema: { type: "object", properties: { only: { type: "string" } } }
  }).handle(() => Effect.dieMessage("it must not run"))

  it.scoped("by the output limit runs none of its calls and tells the model, which goes on", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model, transcript } = yield* open({ tools: [wipe] })
      yield* model.play(
        {
          text: "I wipe",
          calls: [
            { name: "wipe", input: {} },
            { name: "wipe", input: '{"only":"a' }
          ],
          finish: "length",
          usage: { outputTokens: 99 }
        },
        ScriptedModel.text("smaller")
      )
      const run = yield* begin("go")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      const told = "Not run: your answer was cut at the output limit of 99 tokens. Ask again, in smaller pieces."
      expect(yield* lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: I wipe(wipe)(wipe)",
        `wipe never-started: ${told}`,
        `wipe never-started: ${told}`,
        "assistant: smaller"
      ])
      const [, second] = yield* model.requests
      expect(second?.view.at(-1)).toMatchObject({ role: "tool", results: [{ text: told }, { text: told }] })
      expect((yield* transcript(run.sessionId)).map(({ message }) => message.role)).toHaveLength(5)
    })
  )

  it.scoped("by the output limit within a call keeps the call", () =>
    Effect.gen(function* () {
      const { open } = yield* ground
      const parts: ReadonlyArray<Model.Part> = [
        text("I call"),
        { type: "call.delta", index: 0, name: "wipe", delta: '{"on' },
        { type: "finish", reason: "length", usage: Usage.unknown }
      ]
      const engine = yield* open("a", {
        models: modelOf(Stream.fromIterable(parts)),
        tools: [wipe],
        stepLimit: 1
      })
      const run = yield* engine.begin("go")
      expect((yield* engine.gateway.await(run)).stopReason).toBe("step-limit")
      expect(yield* engine.lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: I call(wipe)",
        "wipe never-started: Not run: your answer was cut at the output limit. Ask again, in smaller pieces."
      ])
    })
  )

  it.scoped("by the output limit again and again ends the run for repeated calls", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open({ tools: [wipe] })
      const step = { calls: [{ name: "wipe", input: '{"only":"a' }], finish: "length" } as const
      yield* model.play(step, step, step)
      expect((yield* gateway.await(yield* begin("go"))).stopReason).toBe("repeated-calls")
    })
  )

  for (const [finish, stopReason] of [
    ["content-filter", "refused"],
    ["error", "failed"]
  ] as const) {
    it.scoped(`by the provider (${finish}) runs none of its calls and ends the run as ${stopReason}`, () =>
      Effect.gen(function* () {
        const { begin, gateway, lines, model } = yield* open({ tools: [wipe] })
        yield* model.play({ calls: [{ name: "wipe", input: {} }], finish })
        const run = yield* begin("go")
        expect((yield* gateway.await(run)).stopReason).toBe(stopReason)
        expect(yield* lines(run.sessionId)).toEqual([
          "user: go",
          "assistant: (wipe)",
          "wipe never-started: Never started: this call was not run and had no effect."
        ])
      })
    )
  }
})
