import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Schema, Stream, TestClock } from "effect"
import { Permissions, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import * as Transcript from "../../../../src/domain/Transcript.js"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { open } from "./fixture.js"

/** A tool that waits at the gate of its own name. */
const waiting = <const Name extends string>(gate: Gate.Gate, name: Name) =>
  Tool.make(name, { description: "waits", input: {} }).handle(() => Effect.as(gate.pass(name), `${name} is done`))

const three = Effect.gen(function* () {
  const gate = yield* Gate.make
  const [a, b, c] = [waiting(gate, "a"), waiting(gate, "b"), waiting(gate, "c")]
  const engine = yield* open({ tools: [a, b, c] })
  yield* engine.model.play(
    ScriptedModel.calls(ScriptedModel.call(a, {}), ScriptedModel.call(b, {}), ScriptedModel.call(c, {})),
    ScriptedModel.text("done")
  )
  return { ...engine, gate, run: yield* engine.begin("go") }
})

describe("P1 one order", () => {
  it.scoped("P1 results are in the order of the calls, and finished events in the order of completion", () =>
    Effect.gen(function* () {
      const { gate, gateway, lines, run, seen, told } = yield* three
      for (const [index, name] of ["c", "a", "b"].entries()) {
        yield* gate.open(name)
        yield* seen(run, "call.finished", index + 1)
      }
      yield* gateway.await(run)
      expect((yield* told(run.sessionId, run.cursor)).filter((line) => !line.startsWith("session"))).toEqual([
        "run.started",
        "message.appended user",
        "message.appended assistant",
        "call.started a",
        "call.started b",
        "call.started c",
        "call.finished c success",
        "call.finished a success",
        "message.appended tool",
        "call.finished b success",
        "message.appended tool",
        "message.appended tool",
        "message.appended assistant",
        "run.ended completed"
      ])
      expect(yield* lines(run.sessionId)).toEqual([
        "user: go",
        "assistant: (a)(b)(c)",
        "a success: a is done",
        "b success: b is done",
        "c success: c is done",
        "assistant: done"
      ])
    })
  )

  it.scoped("P1 the model is given the results in the order of its calls", () =>
    Effect.gen(function* () {
      const { gate, gateway, model, run } = yield* three
      for (const name of ["b", "c", "a"]) yield* gate.open(name)
      yield* gateway.await(run)
      const results = (yield* model.requests).at(-1)?.view.flatMap((item) => (item.role === "tool" ? item.results : []))
      expect(results?.map(({ text }) => text)).toEqual(["a is done", "b is done", "c is done"])
    })
  )
})

describe("P2 seen means stored", () => {
  it.scoped("P2 a watcher that sees a call finish can read its result at once", () =>
    Effect.gen(function* () {
      const { gate, gateway, run, transcript } = yield* three
      const read = Effect.fnUntraced(function* (event: SessionEvent.OfType<"call.finished">) {
        const { batch } = yield* gateway.snapshot(run.sessionId)
        const entries = [...(yield* transcript(run.sessionId)), ...batch.stored]
        const next = { c: "b", b: "a" }[event.name]
        if (next !== undefined) yield* gate.open(next)
        return entries
          .filter(({ seq }) => seq === event.seq)
          .map(({ message }) => message.role === "tool" && message.name)
      })
      yield* gate.open("c")
      const found = yield* gateway
        .events({ sessionId: run.sessionId, after: run.cursor })
        .pipe(
          Stream.filter(SessionEvent.is("call.finished")),
          Stream.mapEffect(read),
          Stream.take(3),
          Stream.runCollect
        )
      expect([...found]).toEqual([["c"], ["b"], ["a"]])
    })
  )

  it.scoped("P2 a result that waits for an earlier one is in the snapshot and not yet in the transcript", () =>
    Effect.gen(function* () {
      const { gate, gateway, lines, run, seen } = yield* three
      yield* gate.open("b")
      yield* seen(run, "call.finished")
      const { batch } = yield* gateway.snapshot(run.sessionId)
      expect(batch.calls.map(({ name, state }) => `${name} ${state}`)).toEqual(["a started", "c started"])
      expect(batch.stored.map(({ message, seq }) => [seq, message.role === "tool" && message.text])).toEqual([
        [4, "b is done"]
      ])
      expect(yield* lines(run.sessionId)).toEqual(["user: go", "assistant: (a)(b)(c)"])
    })
  )
})

describe("P3 never late", () => {
  it.scoped("P3 a sibling that never finishes delays no announcement", () =>
    Effect.gen(function* () {
      const { gate, gateway, run, seen, told } = yield* three
      yield* gate.open("b")
      yield* gate.open("c")
      yield* seen(run, "call.finished", 2)
      expect((yield* told(run.sessionId, run.cursor)).filter((line) => line.startsWith("call.finished"))).toEqual([
        "call.finished b success",
        "call.finished c success"
      ])
      expect((yield* gateway.run(run.runId)).state).toBe("running")
    })
  )
})

const outcomes = {
  good: "success",
  failing: "failure",
  dying: "defect",
  interrupting: "interrupted",
  slow: "timeout",
  denied: "denied",
  unreadable: "invalid-input",
  missing: "unknown-tool"
} as const
type Behaviour = keyof typeof outcomes

/** Those that end when their gate is opened; slow calls end by the clock, all others immediately. */
const gated: ReadonlyArray<Behaviour> = ["good", "failing", "dying", "interrupting"]

/** `rank` orders the ends of the calls, lowest first. */
const batch = FastCheck.array(
  FastCheck.record({
    behaviour: FastCheck.constantFrom<Behaviour>(...gated, "good", "slow", "denied", "unreadable", "missing"),
    rank: FastCheck.nat(1_000)
  }),
  { minLength: 1, maxLength: 7 }
)

const Input = { place: Schema.Number, behaviour: Schema.String }

const behaving = (gate: Gate.Gate) =>
  Tool.make("gated", { description: "does what it is told", input: Input }).handle(
    Effect.fn(function* ({ behaviour, place }) {
      yield* gate.pass(`${place}`)
      if (behaviour === "failing") return yield* Effect.fail(new Error("no"))
      if (behaviour === "dying") return yield* Effect.dieMessage("broken")
      if (behaviour === "interrupting") return yield* Effect.interrupt
      return `${place}`
    })
  )

const slow = Tool.make("slow", { description: "takes too long", input: Input }).handle(() => Effect.never, {
  timeout: "1 second"
})

const policy: Permissions.Policy = ({ input }) =>
  Effect.succeed(input.includes("denied") ? Permissions.deny("no") : Permissions.allow)

describe("P1 P4 whatever the calls of a batch do", () => {
  it.scoped.prop(
    "P1 P4 each call has exactly one result, in call order, and the model is asked again",
    [batch],
    ([calls]) =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const engine = yield* open({ tools: [behaving(gate), slow], policy })
        yield* engine.model.play(
          ScriptedModel.calls(
            ...calls.map(({ behaviour }, place) => ({
              name: behaviour === "slow" || behaviour === "missing" ? behaviour : "gated",
              input: behaviour === "unreadable" ? '{"place":' : { place, behaviour }
            }))
          ),
          ScriptedModel.text("done")
        )
        const run = yield* engine.begin("go")
        yield* Quiescence.idle
        const order = calls.map((call, place) => ({ ...call, place })).sort((one, other) => one.rank - other.rank)
        for (const { behaviour, place } of order) {
          yield* behaviour === "slow" ? TestClock.adjust("1 second") : gate.open(`${place}`)
          yield* Quiescence.idle
        }
        expect((yield* engine.gateway.await(run)).stopReason).toBe("completed")

        const entries = yield* engine.transcript(run.sessionId)
        const results = entries.flatMap(({ message }) => (message.role === "tool" ? [message.outcome] : []))
        expect(results).toEqual(calls.map(({ behaviour }) => outcomes[behaviour]))
        expect(Transcript.isSendable(entries)).toBe(true)
        expect((yield* engine.model.requests).flatMap(({ view }) => complaints(view))).toEqual([])

        const ends = yield* engine.gateway
          .events({ sessionId: run.sessionId, after: run.cursor })
          .pipe(
            Stream.takeUntil(SessionEvent.is("run.ended")),
            Stream.filter(SessionEvent.is("call.finished")),
            Stream.runCollect
          )
        const isGated = (place: number) => gated.some((behaviour) => behaviour === calls[place]?.behaviour)
        expect([...ends].map(({ seq }) => seq - 3).filter(isGated)).toEqual(
          order.map(({ place }) => place).filter(isGated)
        )
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 40 } }
  )
})
