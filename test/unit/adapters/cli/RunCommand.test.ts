import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Stream, TestClock } from "effect"
import { Gateway, Permissions, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import type * as Follow from "../../../../src/adapters/cli/Follow.js"
import * as RunCommand from "../../../../src/adapters/cli/RunCommand.js"
import * as Quiescence from "../../../../src/adapters/testing/Quiescence.js"
import { ground } from "../../services/runtime/engines.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

const change = Tool.make("change", { description: "Changes", input: {} }).handle(() => Effect.succeed("changed"))
const settings = { tools: [change], policy: Permissions.askToWrite }

const toAnswer: Follow.Options = { isJson: false, answerer: "terminal" }

/** Lets seconds pass, in each of which engines and clients do what they have to. */
const passing = (seconds: number) =>
  Effect.repeatN(
    Effect.zipRight(Quiescence.idle, Effect.zipRight(TestClock.adjust("1 second"), Quiescence.idle)),
    seconds - 1
  )

/** A session whose run had asked a person when its engine went away, and another engine that finds it. */
const questioned = Effect.gen(function* () {
  const { declare, model, open } = yield* ground
  const one = yield* open("one", settings)
  yield* model.play(
    ScriptedModel.calls(ScriptedModel.call(change, {})),
    ScriptedModel.text("changed it"),
    ScriptedModel.text("and more")
  )
  const ref = yield* one.begin("go")
  yield* one.seen(ref, "permission.asked")
  const later = yield* open("later", { ...settings, config: { continueWithinMillis: 0, recoverMillis: null } })
  const screen = yield* FakeScreen.make({ canAsk: true })
  const session = yield* later.gateway.session(ref.sessionId)
  const follow = (text: string | null, { at = later, options = toAnswer, queue = false } = {}) =>
    RunCommand.follow(session, text === null ? null : { text, files: [], queue }, options).pipe(
      Effect.provide(screen.layer),
      Effect.provideService(Gateway.Gateway, at.gateway)
    )
  const queued = later.gateway.events({ sessionId: ref.sessionId }).pipe(
    Stream.filter((event) => event.type === "run.queued" && event.runId !== ref.runId),
    Stream.runHead
  )
  return { declare, follow, later, one, queued, ref, screen }
})

describe("skein run on a session that an engine left with an open question", () => {
  it.scoped("--resume puts the question to the person and follows the run to its end", () =>
    Effect.gen(function* () {
      const { declare, follow, later, ref, screen } = yield* questioned
      yield* declare("one", "dead")
      const run = yield* Effect.fork(follow(null))
      yield* screen.prompted
      yield* screen.type("y")
      yield* Fiber.join(run)
      expect(yield* screen.output).toMatch(/^ {2}✓ change +\d+ ms\nchanged it\n$/)
      expect(yield* later.gateway.run(ref.runId)).toMatchObject({ stopReason: "completed" })
    })
  )

  it.scoped("a message is sent when the run that was left has ended", () =>
    Effect.gen(function* () {
      const { declare, follow, later, ref, screen } = yield* questioned
      yield* declare("one", "dead")
      const run = yield* Effect.fork(follow("go on"))
      yield* screen.prompted
      yield* screen.type("n")
      yield* Fiber.join(run)
      expect(yield* screen.errors).toContain("resuming the interrupted run first")
      expect((yield* screen.output).endsWith("changed it\nand more\n")).toBe(true)
      expect((yield* later.lines(ref.sessionId)).slice(2)).toEqual([
        "change denied: Denied: the user said no",
        "assistant: changed it",
        "user: go on",
        "assistant: and more"
      ])
    })
  )

  for (const answerer of ["terminal", "nobody", "yes"] as const)
    it.scoped(`a message that may wait leaves the question to those who follow the run (${answerer})`, () =>
      Effect.gen(function* () {
        const { follow, later, one, queued, ref, screen } = yield* questioned
        const options = { ...toAnswer, answerer }
        const run = yield* Effect.fork(follow("go on", { options, queue: true }))
        yield* queued
        for (const { id: questionId } of yield* one.gateway.questions({ sessionId: ref.sessionId })) {
          yield* one.gateway.answer({ questionId, verdict: "deny", message: "not today" })
        }
        yield* Fiber.join(run)
        expect(yield* screen.errors).toBe(`skein: the session is busy; waiting for run ${ref.runId} to end\n`)
        expect(yield* screen.output).toBe("and more\n")
        expect((yield* later.lines(ref.sessionId)).slice(2)).toEqual([
          "change denied: Denied: not today",
          "assistant: changed it",
          "user: go on",
          "assistant: and more"
        ])
      })
    )

  for (const answerer of ["terminal", "nobody", "yes"] as const)
    it.scoped(`the question is answered by the one who waits when the engine of the run dies (${answerer})`, () =>
      Effect.gen(function* () {
        const { declare, follow, later, queued, ref, screen } = yield* questioned
        const options = { ...toAnswer, answerer }
        const run = yield* Effect.fork(follow("go on", { options, queue: true }))
        yield* queued
        yield* passing(2)
        expect(yield* later.gateway.questions({ sessionId: ref.sessionId })).toHaveLength(1)
        yield* declare("one", "dead")
        yield* passing(5)
        if (answerer === "terminal") yield* Effect.zipRight(screen.prompted, screen.type("y"))
        yield* passing(2)
        yield* Fiber.join(run)
        expect(yield* screen.errors).toContain("resuming the interrupted run first")
        const call = answerer === "nobody" ? "✗ change" : "✓ change"
        expect(yield* screen.output).toMatch(new RegExp(`^ {2}${call}[^]*\\nchanged it\\nand more\\n$`))
        expect((yield* later.lines(ref.sessionId)).slice(3)).toEqual([
          "assistant: changed it",
          "user: go on",
          "assistant: and more"
        ])
      })
    )

  it.scoped("the question is left alone at the engine that drives the run for somebody else, too", () =>
    Effect.gen(function* () {
      const { follow, one, queued, ref, screen } = yield* questioned
      const options = { ...toAnswer, answerer: "yes" } as const
      const run = yield* Effect.fork(follow("go on", { at: one, options, queue: true }))
      yield* queued
      yield* passing(3)
      const [question, ...others] = yield* one.gateway.questions({ sessionId: ref.sessionId })
      expect(others).toEqual([])
      if (question === undefined) return expect.fail("the question was answered")
      yield* one.gateway.answer({ questionId: question.id, verdict: "deny", message: "not today" })
      yield* passing(2)
      yield* Fiber.join(run)
      expect(yield* screen.output).toBe("and more\n")
    })
  )

  it.scoped("the one who waits is told that the engine of the run was closed, and leaves its question alone", () =>
    Effect.gen(function* () {
      const { follow, later, one, queued, ref, screen } = yield* questioned
      const run = yield* Effect.fork(follow("go on", { options: { ...toAnswer, answerer: "yes" }, queue: true }))
      yield* queued
      yield* one.close
      yield* passing(3)
      expect(yield* later.gateway.questions({ sessionId: ref.sessionId })).toHaveLength(1)
      expect((yield* screen.errors).match(/run .* was left behind/g)).toHaveLength(1)
      const [question] = yield* later.gateway.questions({ sessionId: ref.sessionId })
      if (question !== undefined) yield* later.gateway.answer({ questionId: question.id, verdict: "deny" })
      yield* passing(2)
      yield* Fiber.join(run)
      expect((yield* screen.output).endsWith("and more\n")).toBe(true)
    })
  )

  it.scoped("a message that may wait is sent when the run that was left has ended, too", () =>
    Effect.gen(function* () {
      const { declare, follow, screen } = yield* questioned
      yield* declare("one", "dead")
      const run = yield* Effect.fork(follow("go on", { queue: true }))
      yield* screen.prompted
      yield* screen.type("y")
      yield* Fiber.join(run)
      expect(yield* screen.errors).toContain("resuming the interrupted run first")
      expect((yield* screen.output).endsWith("changed it\nand more\n")).toBe(true)
    })
  )

  it.scoped("P9 while the other engine lives, the session is busy", () =>
    Effect.gen(function* () {
      const { follow, ref, screen } = yield* questioned
      expect(yield* Effect.flip(follow("go on"))).toMatchObject({ _tag: "SessionBusy", runId: ref.runId })
      expect(yield* screen.errors).toBe("")
    })
  )
})
