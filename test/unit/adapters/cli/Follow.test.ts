import { describe, expect, it } from "@effect/vitest"
import { Chunk, Context, Effect, Exit, Fiber, Layer, Ref, Schema, Stream } from "effect"
import * as Failure from "../../../../src/adapters/cli/Failure.js"
import * as Follow from "../../../../src/adapters/cli/Follow.js"
import type { Answerer } from "../../../../src/adapters/cli/Questions.js"
import * as Gate from "../../../../src/adapters/testing/Gate.js"
import * as Quiescence from "../../../../src/adapters/testing/Quiescence.js"
import * as SkeinTest from "../../../../src/adapters/testing/SkeinTest.js"
import { textOf, userText } from "../../../../src/domain/Message.js"
import { QuestionId } from "../../../../src/domain/Permission.js"
import type { Script } from "../../../../src/domain/Script.js"
import * as SessionEvent from "../../../../src/domain/SessionEvent.js"
import * as Transcript from "../../../../src/domain/Transcript.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import { calls, hang, ScriptedModel, text } from "../../../../src/services/ScriptedModel.js"
import * as Tool from "../../../../src/services/Tool.js"
import { Screen } from "../../../../src/adapters/cli/terminal/Screen.js"
import { assistant, call, result } from "../../../support/fixtures/messages.js"
import { readingOf } from "../../services/runtime/fixture.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

/** An engine whose tools wait at the gate that their input names. */
const engine = Effect.gen(function* () {
  const gate = yield* Gate.make
  const make = <Name extends string>(name: Name, access: "read" | "write") =>
    Tool.make(name, { description: name, access, input: { name: Schema.String } }).handle(({ name }) =>
      Effect.as(gate.pass(name), `done ${name}`)
    )
  const layer = SkeinTest.layer({
    tools: [make("look", "read"), make("change", "write")],
    policy: Permissions.askToWrite
  })
  return { gate, layer }
})

const begin = (...steps: Script) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    yield* Effect.flatMap(ScriptedModel, (model) => model.play(...steps))
    const { id } = yield* gateway.create({ workdir: "/" })
    const transcript = Effect.map(Stream.runCollect(gateway.transcript({ sessionId: id })), Chunk.toReadonlyArray)
    return { id, transcript, start: gateway.send({ sessionId: id, text: "go" }), gateway }
  })

const options = (answerer: Answerer, isJson = false): Follow.Options => ({ isJson, answerer })

const look = (name: string) => ({ name: "look", input: { name } })
const change = (name: string) => ({ name: "change", input: { name } })

const decodeLine = Schema.decodeUnknownSync(Schema.parseJson(SessionEvent.SessionEvent))

describe("the message whose calls are open", () => {
  it.effect("is found without reading the whole transcript", () =>
    Effect.gen(function* () {
      const { layer } = yield* engine
      yield* Effect.gen(function* () {
        const { gateway, id } = yield* begin()
        const { counted, read } = readingOf(gateway)
        const opener = Effect.provideService(Follow.openerOf(id), Gateway, counted)
        expect(yield* opener).toEqual({})
        const asked = assistant([call("call_1")])
        const others = (length: number) => Array.from({ length }, () => userText("hm"))
        yield* gateway.append(id, others(1_000))
        yield* gateway.append(id, [asked, result("call_1", "done"), ...others(40)])
        expect(yield* opener).toMatchObject({ opener: { parts: [{ name: "read" }] } })
        expect(read()).toBeLessThan(200)
        yield* gateway.append(id, others(500))
        expect(yield* opener).toMatchObject({ opener: { parts: [{ name: "read" }] } })
      }).pipe(Effect.provide(layer))
    })
  )
})

describe("Follow", () => {
  it.effect("P3 never late: a call is shown when it ends, before its slow sibling", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make()
      yield* Effect.gen(function* () {
        const { start } = yield* begin(calls(look("slow"), look("fast")), text("all done"))
        const seen = yield* Gate.make
        const onEvent = (event: SessionEvent.SessionEvent) =>
          event.type === "call.finished" ? seen.open(event.type) : Effect.void
        const run = yield* Effect.fork(Follow.run(start, { ...options("nobody"), onEvent }))
        yield* gate.open("fast")
        yield* seen.pass("call.finished")
        expect(yield* screen.output).toContain("✓ look fast")
        expect(yield* screen.output).not.toContain("look slow")
        yield* gate.open("slow")
        yield* Fiber.join(run)
        const output = yield* screen.output
        expect(output.indexOf("look slow")).toBeGreaterThan(output.indexOf("look fast"))
        expect(output.endsWith("all done\n")).toBe(true)
      }).pipe(Effect.provide([layer, screen.layer]))
    })
  )

  it.effect("as JSON each event is a line, durable ones without a gap, the last the run's end", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make()
      yield* gate.open("a")
      yield* Effect.gen(function* () {
        const { start } = yield* begin(calls(look("a")), text("done"))
        yield* Follow.run(start, options("nobody", true))
      }).pipe(Effect.provide([layer, screen.layer]))
      const output = yield* screen.output
      expect(output.endsWith("\n")).toBe(true)
      const events = output
        .trimEnd()
        .split("\n")
        .map((line) => decodeLine(line))
      const cursors = events.filter(SessionEvent.isDurable).map(({ cursor }) => cursor)
      expect(cursors).toEqual(cursors.map((_, at) => (cursors[0] ?? 0) + at))
      expect(events.at(-1)?.type).toBe("run.ended")
    })
  )

  it.effect("where nobody can be asked, a call is denied and the model told why", () =>
    Effect.gen(function* () {
      const { layer } = yield* engine
      const screen = yield* FakeScreen.make()
      yield* Effect.gen(function* () {
        const { start, transcript } = yield* begin(calls(change("a")), text("a pity"))
        yield* Follow.run(start, options("nobody"))
        const result = (yield* transcript)[2]?.message
        expect(result).toMatchObject({ role: "tool", outcome: "denied" })
        expect(result === undefined ? "" : textOf(result)).toContain("without --yes")
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(yield* screen.output).toContain("✗ change a\n    denied")
    })
  )

  it.effect("a result that moves into the transcript before it is looked for is found", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make()
      yield* Effect.gen(function* () {
        const { gateway, id, start } = yield* begin(calls(look("slow"), change("b")), text("a pity"))
        const moved = gateway.events({ sessionId: id }).pipe(
          Stream.filter((event) => event.type === "message.appended" && event.seq === 4),
          Stream.runHead
        )
        const late = {
          ...gateway,
          entry: (place: Parameters<typeof gateway.entry>[0]) =>
            Effect.zipRight(place.seq === 4 ? release : Effect.void, gateway.entry(place))
        }
        const release = Effect.orDie(Effect.zipRight(gate.open("slow"), moved))
        yield* Effect.provideService(Follow.run(start, options("nobody")), Gateway, late)
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(yield* screen.output).toContain("✗ change b\n    denied Denied: there is nobody to ask")
    })
  )

  it.effect("as JSON a run that is cancelled has no answer, whatever it had written", () =>
    Effect.gen(function* () {
      const { layer } = yield* engine
      const screen = yield* FakeScreen.make()
      yield* Effect.gen(function* () {
        const { start } = yield* begin({ text: "half an answer", hang: true })
        const written = yield* Gate.make
        const onEvent = (event: SessionEvent.SessionEvent) =>
          event.type === "text.delta" ? written.open(event.type) : Effect.void
        const run = yield* Effect.fork(Follow.run(start, { ...options("nobody", true), onEvent }))
        yield* written.pass("text.delta")
        yield* Fiber.interrupt(run)
      }).pipe(Effect.provide([layer, screen.layer]))
      const last: unknown = JSON.parse((yield* screen.output).trimEnd().split("\n").at(-1) ?? "")
      expect(last).toMatchObject({ type: "run.ended", stopReason: "cancelled", answer: null })
    })
  )

  it.effect("--yes allows each call once, and asks nobody", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      yield* gate.open("a")
      yield* Effect.gen(function* () {
        const { gateway, id, start } = yield* begin(calls(change("a"), change("a")), text("done"))
        yield* Follow.run(start, options("yes"))
        expect(yield* gateway.questions({ sessionId: id })).toEqual([])
      }).pipe(Effect.provide([layer, screen.layer]))
      expect((yield* screen.output).match(/✓ change a/g)).toHaveLength(2)
      expect(yield* screen.errors).toBe("")
    })
  )

  it.effect("a person is shown the exact input and asked until the answer is one", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      yield* gate.open("a\u202eb")
      yield* Effect.gen(function* () {
        const { start } = yield* begin(calls(change("a\u202eb")), text("done"))
        const run = yield* Effect.fork(Follow.run(start, options("terminal")))
        yield* screen.prompted
        expect(yield* screen.errors).toContain('change wants to run with this input:\n  {"name":"a\\u202eb"}')
        yield* screen.type("maybe")
        yield* screen.prompted
        yield* screen.type("y")
        yield* Fiber.join(run)
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(yield* screen.output).toContain("✓ change a\\u202eb")
    })
  )

  it.effect("questions come one at a time, each about its own input", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      yield* gate.open("a")
      yield* Effect.gen(function* () {
        const { start, transcript } = yield* begin(calls(change("a"), change("b")), text("done"))
        const run = yield* Effect.fork(Follow.run(start, options("terminal")))
        yield* screen.prompted
        expect(yield* screen.errors).not.toContain('"b"')
        yield* screen.type("y")
        yield* screen.prompted
        expect(yield* screen.errors).toContain('"b"')
        yield* screen.type("n")
        yield* Fiber.join(run)
        expect((yield* transcript)[3]?.message).toMatchObject({ outcome: "denied", text: "Denied: the user said no" })
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(yield* screen.output).toContain("✓ change a")
    })
  )

  it.effect("a tool allowed for the session is not asked about again, nor what was asked about it before", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      yield* Effect.forEach(["a", "b", "c"], gate.open)
      yield* Effect.gen(function* () {
        const { start } = yield* begin(calls(change("a"), change("b")), calls(change("c")), text("done"))
        const run = yield* Effect.fork(Follow.run(start, options("terminal")))
        yield* screen.prompted
        yield* screen.type("s")
        yield* Fiber.join(run)
      }).pipe(Effect.provide([layer, screen.layer]))
      expect((yield* screen.output).match(/✓ change [abc]/g)).toHaveLength(3)
    })
  )

  it.effect("a long input is shown by its ends, and whole when the person wants it", () =>
    Effect.gen(function* () {
      const { layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      const long = `${"x".repeat(3000)}MIDDLE${"y".repeat(3000)}`
      yield* Effect.gen(function* () {
        const { start } = yield* begin(calls(change(long)), text("done"))
        const run = yield* Effect.fork(Follow.run(start, options("terminal")))
        yield* screen.prompted
        expect(yield* screen.errors).toMatch(/x\n {2}\[… 4301 characters left out; type a to see everything …\]\n {2}y/)
        expect(yield* screen.errors).not.toContain("MIDDLE")
        yield* screen.type("a")
        yield* screen.prompted
        expect(yield* screen.errors).toContain("MIDDLE")
        yield* screen.type("n")
        yield* Fiber.join(run)
      }).pipe(Effect.provide([layer, screen.layer]))
    })
  )

  it.effect("when the input ends, nothing is decided: the run is cancelled, and its end shown", () =>
    Effect.gen(function* () {
      const { layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      const asked = yield* Effect.gen(function* () {
        const { gateway, id, start, transcript } = yield* begin(calls(change("a"), change("b")), text("done"))
        const run = yield* Effect.fork(Effect.exit(Follow.run(start, options("terminal"))))
        yield* screen.prompted
        const [question] = yield* gateway.questions({ sessionId: id })
        yield* screen.type(null)
        const exit = yield* Fiber.join(run)
        expect(Failure.exitCode(exit)).toBe(130)
        expect(Exit.isFailure(exit) ? Failure.report(exit.cause) : "").toMatch(/^skein: the input ended .* cancelled$/)
        const entries = yield* transcript
        expect(entries.slice(2).map(({ message }) => message)).toMatchObject([
          { outcome: "never-started" },
          { outcome: "never-started" }
        ])
        expect(entries).toHaveLength(4)
        return yield* gateway.question(question?.id ?? QuestionId.make("none"))
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(JSON.stringify(asked.answer)).not.toContain("said no")
      expect((yield* screen.output).endsWith("  cancelled\n")).toBe(true)
    })
  )

  it.effect("a question that another client answers is taken back", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      yield* gate.open("a")
      yield* Effect.gen(function* () {
        const { gateway, id, start } = yield* begin(calls(change("a")), text("done"))
        const run = yield* Effect.fork(Follow.run(start, options("terminal")))
        yield* screen.prompted
        for (const { id: questionId } of yield* gateway.questions({ sessionId: id })) {
          yield* gateway.answer({ questionId, verdict: "allow-once" })
        }
        yield* screen.withdrawn
        yield* Fiber.join(run)
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(yield* screen.output).toContain("✓ change a")
    })
  )

  for (const answerer of ["nobody", "yes", "terminal"] as const) {
    it.effect(`a queued run shows and answers nothing of the run before it (${answerer})`, () =>
      Effect.gen(function* () {
        const { gate, layer } = yield* engine
        const screen = yield* FakeScreen.make({ canAsk: true })
        yield* Effect.forEach(["early", "late", "b"], gate.open)
        yield* Effect.gen(function* () {
          const { gateway, id, start } = yield* begin(
            calls(change("early")),
            calls(change("late")),
            text("theirs"),
            calls(look("b")),
            text("ours")
          )
          const theirs = yield* start
          const asked = (nth: number) =>
            gateway
              .events({ sessionId: id })
              .pipe(
                Stream.filter(SessionEvent.is("permission.asked")),
                Stream.drop(nth),
                Stream.runHead,
                Effect.flatten,
                Effect.orDie
              )
          const isLeftOpen = Effect.fnUntraced(function* (nth: number) {
            const { questionId } = yield* asked(nth)
            yield* Quiescence.idle
            expect(yield* gateway.question(questionId)).toMatchObject({ answer: null })
            expect(yield* screen.output).toBe("")
            yield* gateway.answer({ questionId, verdict: "allow-once" })
          })
          yield* asked(0)
          const queued = yield* Gate.make
          const onEvent = (event: SessionEvent.SessionEvent) =>
            event.type === "run.queued" ? queued.open(event.type) : Effect.void
          const next = gateway.send({ sessionId: id, text: "next", whenBusy: "queue" })
          const run = yield* Effect.fork(Follow.run(next, { ...options(answerer), onEvent }))
          yield* queued.pass("run.queued")
          yield* isLeftOpen(0)
          yield* isLeftOpen(1)
          yield* gateway.await(theirs)
          yield* Fiber.join(run)
          expect(yield* screen.errors).toBe("")
        }).pipe(Effect.provide([layer, screen.layer]))
        expect(yield* screen.output).toMatch(/^ {2}✓ look b +\d+ ms\nours\n$/)
      })
    )
  }

  it.effect("P4 always sendable: interrupted, it cancels the run and shows its end before it is over", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const screen = yield* FakeScreen.make({ canAsk: true })
      yield* Effect.gen(function* () {
        const { gateway, id, start, transcript } = yield* begin(calls(look("slow"), change("b")))
        const run = yield* Effect.fork(Follow.run(start, options("terminal", true)))
        yield* gate.reached("slow")
        yield* screen.prompted
        yield* Fiber.interrupt(run)
        expect(yield* gateway.questions({ sessionId: id })).toEqual([])
        const entries = yield* transcript
        expect(entries.map(({ message }) => message.role)).toEqual(["user", "assistant", "tool", "tool"])
        expect(Transcript.isSendable(entries)).toBe(true)
      }).pipe(Effect.provide([layer, screen.layer]))
      const last = (yield* screen.output).trimEnd().split("\n").at(-1)
      expect(last === undefined ? null : decodeLine(last)).toMatchObject({ type: "run.ended", stopReason: "cancelled" })
    })
  )

  it.effect("interrupted when its server is gone, it gives the terminal back and ends", () =>
    Effect.gen(function* () {
      const { gate, layer } = yield* engine
      const fake = yield* FakeScreen.make()
      const isOpen = yield* Ref.make(false)
      const screen = Layer.map(fake.layer, (context) =>
        Context.add(context, Screen, {
          ...Context.get(context, Screen),
          live: (effect) =>
            Effect.acquireUseRelease(
              Ref.set(isOpen, true),
              () => effect,
              () => Ref.set(isOpen, false)
            )
        })
      )
      yield* Effect.gen(function* () {
        const { gateway, start } = yield* begin(calls(look("slow")))
        const gone = {
          ...gateway,
          cancel: () => Effect.die(new Failure.ServerLost({ reason: "unreachable", detail: "" }))
        }
        const run = yield* Effect.fork(Effect.provideService(Follow.run(start, options("nobody")), Gateway, gone))
        yield* gate.reached("slow")
        expect(yield* Ref.get(isOpen)).toBe(true)
        const exit = yield* Fiber.interrupt(run)
        expect(Exit.isInterrupted(exit)).toBe(true)
        expect(yield* Ref.get(isOpen)).toBe(false)
      }).pipe(Effect.provide([layer, screen]))
    })
  )

  it.effect("interrupted while the model writes, it keeps what was written", () =>
    Effect.gen(function* () {
      const { layer } = yield* engine
      const screen = yield* FakeScreen.make()
      yield* Effect.gen(function* () {
        const { start, transcript } = yield* begin({ ...hang, text: "half an ans" })
        const seen = yield* Gate.make
        const onEvent = (event: SessionEvent.SessionEvent) =>
          event.type === "text.delta" && event.text.endsWith("ans") ? seen.open("text") : Effect.void
        const run = yield* Effect.fork(Follow.run(start, { ...options("nobody"), onEvent }))
        yield* seen.pass("text")
        yield* Fiber.interrupt(run)
        expect((yield* transcript)[1]?.message).toMatchObject({ role: "assistant", partial: true })
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(yield* screen.output).toBe("half an ans\n(the answer was cut off here)\n  cancelled\n")
    })
  )

  it.effect("a run that fails is a failure that says why", () =>
    Effect.gen(function* () {
      const { layer } = yield* engine
      const screen = yield* FakeScreen.make()
      const error = yield* Effect.gen(function* () {
        const { start } = yield* begin({ failure: { reason: "rejected", detail: "no such model" } })
        return yield* Effect.flip(Follow.run(start, options("nobody")))
      }).pipe(Effect.provide([layer, screen.layer]))
      expect(error).toMatchObject({ _tag: "RunStopped", stopReason: "failed" })
      expect(error.message).toContain("no such model")
    })
  )
})
