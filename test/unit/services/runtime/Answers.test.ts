/**
 * Answers as values: how a model is asked for their form, what is read from its answers, and how often it is asked
 * again.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, DateTime, Effect, Fiber, Schema, TestClock } from "effect"
import { Gateway, Model, Run, Session, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence, SkeinTest } from "skein/testing"
import { ground } from "./engines.js"
import { of, open } from "./fixture.js"

const Review = Schema.Struct({
  verdict: Schema.Literal("good", "bad"),
  notes: Schema.optional(Schema.Array(Schema.String)),
  seenAt: Schema.optional(Schema.DateTimeUtc)
})
const form = Effect.orDie(Run.output(Review))
const good = { verdict: "good" } as const

const said = (value: object) => ScriptedModel.text(JSON.stringify(value))

const within =
  (gateway: Gateway.Service) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provideService(effect, Gateway.Gateway, gateway)

const reviewed = (gateway: Gateway.Service, ref: Run.Ref) => within(gateway)(Run.answerAs(Review)(ref))

/** A run of an engine of its own, sent with the form. */
const asked = Effect.fnUntraced(function* (...answers: ReadonlyArray<Parameters<typeof ScriptedModel.text>[0]>) {
  const engine = yield* open({ system: "You are terse." })
  yield* engine.model.play(...answers.map(ScriptedModel.text))
  const run = yield* engine.begin("review", { output: yield* form, metadata: { who: "Ann" } })
  return { ...engine, run, answer: reviewed(engine.gateway, run) }
})

describe("an answer as a value", () => {
  it.scoped("is decoded, even from a code fence, and null counts as left out", () =>
    Effect.gen(function* () {
      const { answer, lines, run } = yield* asked(
        'Here:\n```json\n{"verdict": "good", "notes": null, "seenAt": "2026-01-02T00:00:00Z"}\n```'
      )
      expect(yield* answer).toEqual({ ...good, seenAt: DateTime.unsafeMake("2026-01-02T00:00:00Z") })
      expect(yield* lines(run.sessionId)).toHaveLength(2)
    })
  )

  it.scoped(
    "is requested in each step's system prompt, with tools or not, if the provider does not enforce the form",
    () =>
      Effect.gen(function* () {
        const look = Tool.make("look", { description: "looks", input: {} }).handle(() => Effect.succeed("seen"))
        const { gateway, begin, model, send } = yield* open({ system: "You are terse.", tools: [look] })
        yield* model.play(ScriptedModel.calls(ScriptedModel.call(look, {})), said(good), said({}))
        const run = yield* begin("review", { output: yield* form })
        expect(yield* reviewed(gateway, run)).toEqual(good)
        yield* gateway.await(yield* send(run.sessionId, "and now?"))
        const [first, second, third] = yield* model.requests
        expect(first?.system).toMatch(/^You are terse\.\n\nYour final answer must be one JSON object/u)
        expect(first?.system).toContain(JSON.stringify(yield* form))
        expect([second?.system, first?.output]).toEqual([first?.system, null])
        expect([third?.system, third?.output]).toEqual(["You are terse.", null])
      })
  )

  it.scoped("is left to a provider that enforces the form", () =>
    Effect.gen(function* () {
      const base = yield* open()
      const schemas: Array<unknown> = []
      const model: Model.Model = { ...base.model.model, takesOutput: (schema) => schemas.push(schema) > 0 }
      const one = yield* (yield* ground).open("one", { models: Model.always(model), system: "You are terse." })
      yield* base.model.play(said(good))
      const run = yield* one.begin("review", { output: yield* form })
      expect(yield* reviewed(one.gateway, run)).toEqual(good)
      const [request] = yield* base.model.requests
      expect([request?.system, request?.output]).toEqual(["You are terse.", yield* form])
      expect(schemas).toEqual([yield* form])
    })
  )

  it.scoped("is requested again with what is wrong, in a run with the metadata and the form of the first", () =>
    Effect.gen(function* () {
      const { answer, gateway, model, run, transcript } = yield* asked("I think it is fine.", '{"verdict": "good"}')
      expect(yield* answer).toEqual(good)
      expect(yield* answer).toEqual(good)
      const entries = yield* transcript(run.sessionId)
      expect(entries.map(({ message }) => message.role)).toEqual(["user", "assistant", "user", "assistant"])
      expect(JSON.stringify(entries[2]?.message)).toContain("I think it is fine.")
      expect(JSON.stringify(entries[2]?.message)).toContain("not JSON")
      const [again] = yield* gateway.runs({ sessionId: run.sessionId, idempotencyKey: `${run.runId}/again-1` })
      expect(again).toMatchObject({ metadata: { who: "Ann" }, output: yield* form, stopReason: "completed" })
      expect((yield* model.requests)[1]?.system).toContain("JSON Schema")
    })
  )

  it.scoped("stays the same when the schema's wording has changed since", () =>
    Effect.gen(function* () {
      const { answer, gateway, model, run } = yield* asked("I think it is fine.", '{"verdict": "good"}')
      expect(yield* answer).toEqual(good)
      const verdict = Review.fields.verdict.annotations({ description: "what you think of it" })
      const reworded = Schema.Struct({ ...Review.fields, verdict })
      expect(yield* within(gateway)(Run.answerAs(reworded)(run))).toEqual(good)
      expect(yield* model.requests).toHaveLength(2)
    })
  )

  it.scoped("fails after two repeated requests, with the last text and what is wrong, and is not requested again", () =>
    Effect.gen(function* () {
      const { answer, model, run } = yield* asked("one", '{"verdict": "so so"}', '{"verdict": 3, "notes": "x"}')
      const invalid = yield* Effect.flip(answer)
      expect(invalid).toEqual(
        new SkeinError.AnswerInvalid({
          runId: run.runId,
          text: '{"verdict": 3, "notes": "x"}',
          detail: 'verdict: expected "good" or "bad", got 3\nnotes: expected a list, got "x"'
        })
      )
      expect(SkeinError.is(invalid)).toBe(true)
      expect(invalid.message).toBe(`The answer of run ${run.runId} does not match the requested schema`)
      expect(yield* Effect.flip(answer)).toEqual(invalid)
      const requests = yield* model.requests
      expect(requests).toHaveLength(3)
      expect(JSON.stringify(requests[2]?.view.at(-1))).toContain("so so")
    })
  )

  it.scoped("is decoded with the services that its schema requires", () =>
    Effect.gen(function* () {
      class Suffix extends Context.Tag("Suffix")<Suffix, string>() {}
      const Greeting = Schema.transformOrFail(Schema.Struct({ name: Schema.String }), Schema.String, {
        strict: true,
        decode: ({ name }) => Effect.map(Suffix, (suffix) => name + suffix),
        encode: (name) => Effect.succeed({ name })
      })
      const { begin, gateway, model } = yield* open()
      yield* model.play(said({ name: "Ann" }))
      const run = yield* begin("greet", { output: yield* Run.output(Greeting) })
      const greeting = Effect.provideService(Run.answerAs(Greeting)(run), Suffix, "!")
      expect(yield* within(gateway)(greeting)).toBe("Ann!")
    })
  )
})

describe("a run without a readable answer", () => {
  it.scoped("fails as stopped if it or a repeated request ended otherwise", () =>
    Effect.gen(function* () {
      const { answer, begin, gateway, model } = yield* asked("no")
      yield* model.play(ScriptedModel.fail("rejected"))
      const stopped = yield* Effect.flip(answer)
      expect(stopped).toMatchObject({ _tag: "RunStopped", stopReason: "failed" })
      expect(yield* Effect.flip(answer)).toEqual(stopped)
      yield* model.play(ScriptedModel.fail("rejected"))
      const other = yield* begin("review", { output: yield* form })
      expect(yield* Effect.flip(reviewed(gateway, other))).toMatchObject({ _tag: "RunStopped", runId: other.runId })
    })
  )

  it.scoped("is refused if it was sent without a form or with another, and no model is asked again", () =>
    Effect.gen(function* () {
      const { begin, gateway, model } = yield* open()
      yield* model.play(ScriptedModel.text("fine"), ScriptedModel.text("fine"), said(good))
      const without = yield* begin("review")
      expect(yield* Effect.flip(reviewed(gateway, without))).toMatchObject({ _tag: "InvalidInput", field: "schema" })
      const other = yield* Run.output(Schema.Struct({ price: Schema.Number }))
      const wrong = yield* begin("price it", { output: other })
      expect(yield* Effect.flip(reviewed(gateway, wrong))).toMatchObject({ _tag: "InvalidInput", field: "schema" })
      expect(yield* reviewed(gateway, yield* begin("review"))).toEqual(good)
      expect(yield* model.requests).toHaveLength(3)
    })
  )

  it.scoped("is not asked again by a read-only caller, who gets the answer that others requested", () =>
    Effect.gen(function* () {
      const { answer, context, run } = yield* asked("no", '{"verdict": "good"}')
      const readOnly = Run.answerAs(Review)(run).pipe(Gateway.restricted({ scope: "read" }), Effect.provide(context))
      expect(yield* Effect.flip(readOnly)).toMatchObject({ _tag: "Forbidden", operation: "send" })
      expect(yield* answer).toEqual(good)
      expect(yield* readOnly).toEqual(good)
    })
  )

  it.scoped("fails if its session is gone, or if the caller is a tool of that session", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open()
      yield* model.play(ScriptedModel.text("no"))
      // The session in which a tool is when it is run on its own.
      const { id } = yield* session({ id: Session.Id.make("test") })
      const run = yield* send(id, "review", { output: yield* form })
      yield* gateway.await(run)
      const own = Tool.make("own", { description: "asks", input: {} }).handle(() => reviewed(gateway, run))
      expect(yield* Effect.flip(SkeinTest.call(own, {}))).toMatchObject({ _tag: "AwaitOwnSession" })
      yield* gateway.delete(id)
      expect((yield* Effect.flip(reviewed(gateway, run)))._tag).toBe("RunNotFound")
    })
  )
})

describe("P5 an answer that is asked for again", () => {
  it.scoped("is requested after the waiting messages, with a quote of the answer that is meant", () =>
    Effect.gen(function* () {
      const { answer, gateway, lines, model, run, send } = yield* asked("that is no JSON")
      yield* gateway.await(run)
      yield* model.play(ScriptedModel.text("hello"), said(good))
      const other = yield* send(run.sessionId, "hi")
      expect(yield* answer).toEqual(good)
      expect((yield* gateway.run(other.runId)).stopReason).toBe("completed")
      const all = yield* lines(run.sessionId)
      expect(all.slice(2, 4)).toEqual(["user: hi", "assistant: hello"])
      expect(all[4]).toContain("that is no JSON")
    })
  )

  it.scoped("is requested only once, however many callers wait in however many processes", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const one = yield* open("one")
      const two = yield* open("two")
      yield* model.play(ScriptedModel.text("no"), ScriptedModel.text("no"), said(good))
      const run = yield* one.begin("review", { output: yield* form })
      const waiting = yield* Effect.fork(
        Effect.all(
          [one, two, one, two].map(({ gateway }) => reviewed(gateway, run)),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.repeat(Effect.zipRight(Quiescence.idle, TestClock.adjust("1 second")), {
        until: () => Effect.map(Fiber.status(waiting), ({ _tag }) => _tag === "Done")
      })
      expect(yield* Fiber.join(waiting)).toEqual([good, good, good, good])
      expect(yield* one.lines(run.sessionId)).toHaveLength(6)
      expect(yield* model.requests).toHaveLength(3)
    })
  )

  it.scoped("continues after its engine died, and is not requested twice", () =>
    Effect.gen(function* () {
      const { declare, model, open } = yield* ground
      const one = yield* open("one")
      yield* model.play(ScriptedModel.text("no"), ScriptedModel.hang)
      const run = yield* one.begin("review", { output: yield* form })
      const first = yield* Effect.fork(reviewed(one.gateway, run))
      yield* Quiescence.idle
      expect(yield* model.requests).toHaveLength(2)
      yield* Fiber.interrupt(first)
      yield* declare("one", "dead")
      yield* model.play(said(good))
      const two = yield* open("two")
      const again = yield* Effect.fork(reviewed(two.gateway, run))
      yield* Quiescence.idle
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(again)).toEqual(good)
      expect(yield* reviewed(two.gateway, run)).toEqual(good)
      expect((yield* two.lines(run.sessionId)).map((line) => line.split(":")[0])).toEqual([
        "user",
        "assistant",
        "user",
        "assistant"
      ])
      const [resumed] = yield* two.gateway.runs({ sessionId: run.sessionId })
      expect(resumed).toMatchObject({ stopReason: "completed", output: yield* form })
    })
  )

  it.scoped("is found even if another version worded the request differently", () =>
    Effect.gen(function* () {
      const { answer, gateway, model, run } = yield* asked("no")
      yield* gateway.await(run)
      yield* model.play(said(good))
      const { sessionId } = run
      const reworded: Gateway.Service = {
        ...gateway,
        runs: () => Effect.succeed([]),
        send: (input) => Effect.zipRight(gateway.send({ ...input, text: "again, please" }), gateway.send(input))
      }
      expect(yield* reviewed(reworded, run)).toEqual(good)
      expect(yield* answer).toEqual(good)
      expect(yield* of(gateway).lines(sessionId)).toContain("user: again, please")
      expect(yield* of(gateway).lines(sessionId)).toHaveLength(4)
    })
  )
})

describe("the form of an answer", () => {
  it.scoped("belongs to the message: the same key with another form, or with none, is a conflict", () =>
    Effect.gen(function* () {
      const { model, send, session } = yield* open()
      yield* model.play(said(good))
      const { id } = yield* session()
      const output = yield* form
      const ref = yield* send(id, "go", { idempotencyKey: "k", output })
      const reordered = Object.fromEntries(Object.entries(output).toReversed())
      expect(yield* send(id, "go", { idempotencyKey: "k", output: reordered })).toEqual(ref)
      for (const other of [undefined, { type: "object" }]) {
        const conflict = yield* Effect.flip(send(id, "go", { idempotencyKey: "k", output: other }))
        expect(conflict._tag).toBe("IdempotencyConflict")
      }
    })
  )

  it.scoped("is refused, naming the field, if no provider accepts it or it is too large", () =>
    Effect.gen(function* () {
      const { send, session } = yield* open({ config: { limits: { metadataBytes: 1_000 } } })
      const { id } = yield* session()
      for (const output of [{ type: "string" }, { type: "object", description: "x".repeat(1_000) }]) {
        expect(yield* Effect.flip(send(id, "go", { output }))).toMatchObject({ _tag: "InvalidInput", field: "output" })
      }
      expect(yield* Effect.flip(Run.output(Schema.String))).toMatchObject({ field: "output", limit: "an object" })
      expect(yield* Effect.flip(Run.output(Schema.Struct({ a: Schema.DateFromSelf })))).toMatchObject({
        _tag: "InvalidInput",
        field: "output"
      })
    })
  )
})
