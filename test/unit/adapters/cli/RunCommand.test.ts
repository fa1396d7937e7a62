import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Gateway, Permissions, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import type * as Follow from "../../../../src/adapters/cli/Follow.js"
import * as RunCommand from "../../../../src/adapters/cli/RunCommand.js"
import { ground } from "../../services/runtime/engines.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

const change = Tool.make("change", { description: "Changes", input: {} }).handle(() => Effect.succeed("changed"))
const settings = { tools: [change], policy: Permissions.askToWrite }

const toAnswer: Follow.Options = { isJson: false, answerer: "terminal" }

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
  const later = yield* open("later", settings)
  const screen = yield* FakeScreen.make({ canAsk: true })
  const session = yield* later.gateway.session(ref.sessionId)
  const follow = (text: string | null, { options = toAnswer, queue = false } = {}) =>
    RunCommand.follow(session, text === null ? null : { text, files: [], queue }, options).pipe(
      Effect.provide(screen.layer),
      Effect.provideService(Gateway.Gateway, later.gateway)
    )
  return { declare, follow, later, one, ref, screen }
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
        const { follow, later, one, ref, screen } = yield* questioned
        const options = { ...toAnswer, answerer }
        const run = yield* Effect.fork(follow("go on", { options, queue: true }))
        yield* later.gateway.events({ sessionId: ref.sessionId }).pipe(
          Stream.filter((event) => event.type === "run.queued" && event.runId !== ref.runId),
          Stream.runHead
        )
        for (const { id: questionId } of yield* one.gateway.questions(ref.sessionId)) {
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
