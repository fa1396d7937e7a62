import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema, TestClock } from "effect"
import { Gateway, type Permission, Permissions, type Run, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { QuestionId } from "../../../../src/domain/Permission.js"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { ground } from "./engines.js"
import { open, type Settings } from "./fixture.js"

const read = Tool.make("read", { description: "reads", access: "read", input: { key: Schema.String } }).handle(
  ({ key }) => Effect.succeed(`read ${key}`),
  { key: ({ key }) => key }
)
const write = Tool.make("write", { description: "writes", input: { key: Schema.String } }).handle(
  ({ key }) => Effect.succeed(`wrote ${key}`),
  { key: ({ key }) => key }
)

/** A step that asks for these calls, then a step that answers. */
const asking = Effect.fnUntraced(function* (
  calls: ReadonlyArray<ReturnType<typeof ScriptedModel.call>>,
  { config = {}, policy = Permissions.askToWrite }: Pick<Settings, "config" | "policy"> = {}
) {
  const engine = yield* open({ tools: [read, write], policy, config })
  yield* engine.model.play(ScriptedModel.calls(...calls), ScriptedModel.text("done"))
  return { ...engine, run: yield* engine.begin("go") }
})
type Asking = Effect.Effect.Success<ReturnType<typeof asking>>

const onlyQuestion = ({ gateway, run, seen }: Asking) =>
  Effect.flatMap(seen(run, "permission.asked"), ({ questionId }) => gateway.question(questionId))

const states = (gateway: Gateway.Service, run: Run.Ref) =>
  Effect.map(gateway.snapshot(run.sessionId), ({ batch }) => batch.calls.map(({ index, state }) => `${index} ${state}`))

describe("a policy", () => {
  it.scoped("allows: the call runs without a question", () =>
    Effect.gen(function* () {
      const { gateway, lines, run, told } = yield* asking([ScriptedModel.call(read, { key: "a" })])
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId))[2]).toBe("read success: read a")
      expect((yield* told(run.sessionId)).filter((line) => line.startsWith("permission"))).toEqual([])
    })
  )

  it.scoped("denies: the call does not run, the model learns why, siblings go on", () =>
    Effect.gen(function* () {
      const { gateway, lines, model, run, told } = yield* asking(
        [ScriptedModel.call(write, { key: "a" }), ScriptedModel.call(read, { key: "a" })],
        { policy: Permissions.readOnly("nobody is there to ask") }
      )
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId)).slice(2, 4)).toEqual([
        "write denied: Denied: nobody is there to ask",
        "read success: read a"
      ])
      expect((yield* told(run.sessionId)).filter((line) => line.startsWith("call.started"))).toEqual([
        "call.started read"
      ])
      expect((yield* model.requests).flatMap(({ view }) => complaints(view))).toEqual([])
    })
  )

  const broken: ReadonlyArray<readonly [string, Permissions.Policy]> = [
    ["dies", () => Effect.dieMessage("secret")],
    ["interrupts itself", () => Effect.interrupt],
    [
      "throws",
      () => {
        throw new Error("secret")
      }
    ]
  ]
  for (const [what, policy] of broken) {
    it.scoped(`that ${what} denies, without details for the model`, () =>
      Effect.gen(function* () {
        const { gateway, lines, run } = yield* asking([ScriptedModel.call(read, { key: "a" })], { policy })
        expect((yield* gateway.await(run)).stopReason).toBe("completed")
        expect((yield* lines(run.sessionId))[2]).toBe("read denied: Denied: the permission policy failed")
      })
    )
  }

  it.scoped("that never answers and cannot be interrupted does not hold up a cancel", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const policy = () => Effect.as(Effect.uninterruptible(gate.pass("policy")), Permissions.allow)
      const { gateway, lines, run } = yield* asking([ScriptedModel.call(read, { key: "a" })], { policy })
      yield* gate.reached("policy")
      yield* gateway.cancel(run.runId)
      expect((yield* lines(run.sessionId))[2]).toMatch(/^read never-started/)
      yield* gate.open("policy")
    })
  )

  it.scoped("sees the session, the run, the tool, its access and the input", () =>
    Effect.gen(function* () {
      const requests: Array<Permissions.Request> = []
      const policy: Permissions.Policy = (request) => Effect.sync(() => (requests.push(request), Permissions.allow))
      const { gateway, run } = yield* asking([ScriptedModel.call(write, { key: "a" })], { policy })
      yield* gateway.await(run)
      expect(requests).toMatchObject([
        { session: { id: run.sessionId }, run: { id: run.runId }, tool: "write", access: "write", input: '{"key":"a"}' }
      ])
    })
  )
})

describe("a question", () => {
  it.scoped("answered with a verdict that only a later version knows lets no call run", () =>
    Effect.gen(function* () {
      const { model, open, storage } = yield* ground
      const engine = yield* open("a", { tools: [read, write], policy: Permissions.askToWrite })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(write, { key: "a" })), ScriptedModel.text("done"))
      const run = yield* engine.begin("go")
      const { questionId } = yield* engine.seen(run, "permission.asked")
      yield* storage.answer(questionId, { verdict: "other", message: null, by: "me" })
      yield* engine.gateway.await(run)
      expect((yield* engine.lines(run.sessionId))[2]).toMatch(/^write denied: Denied by me/)
    })
  )

  it.scoped("is readable, bound to the exact input, while the call waits", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" })])
      const question = yield* onlyQuestion(asked)
      const { gateway, run } = asked
      expect(question).toMatchObject({
        sessionId: run.sessionId,
        runId: run.runId,
        tool: "write",
        access: "write",
        input: '{"key":"a"}',
        answer: null
      })
      expect(yield* gateway.questions()).toEqual([question])
      expect(yield* gateway.questions({ sessionId: run.sessionId })).toEqual([question])
      expect((yield* gateway.snapshot(run.sessionId)).questions).toEqual([question])
      expect(yield* states(gateway, run)).toEqual(["0 pending"])
    })
  )

  it.scoped("answered with allow-once: the call runs, and the tool's next call needs a question again", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" })])
      const { gateway, lines, model, run, seen, send, told } = asked
      const { id } = yield* onlyQuestion(asked)
      const question = yield* gateway.answer({ questionId: id, verdict: "allow-once", by: "Ann" })
      expect(question.answer).toEqual({ verdict: "allow-once", message: null, by: "Ann" })
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId))[2]).toBe("write success: wrote a")
      expect(yield* gateway.questions()).toEqual([])
      expect((yield* told(run.sessionId, run.cursor)).filter((line) => /permission|call/.test(line))).toEqual([
        "permission.asked write",
        "permission.answered allow-once",
        "call.started write",
        "call.finished write success"
      ])
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(write, { key: "b" })))
      yield* seen(yield* send(run.sessionId, "again"), "permission.asked")
    })
  )

  it.scoped("is not asked if its tool was allowed for the session just before", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const { model, open } = yield* ground
      const { begin, gateway, lines, seen, told } = yield* open("one", {
        tools: [write],
        policy: Permissions.askToWrite,
        storage: (own) => ({
          ...own,
          ask: (lease, question) => Effect.zipRight(gate.pass(question.input), own.ask(lease, question))
        })
      })
      const [a, b] = [{ key: "a" }, { key: "b" }]
      yield* model.play(
        ScriptedModel.calls(ScriptedModel.call(write, a), ScriptedModel.call(write, b)),
        ScriptedModel.text("done")
      )
      const run = yield* begin("go")
      yield* gate.open(JSON.stringify(a))
      yield* gate.reached(JSON.stringify(b))
      const { questionId } = yield* seen(run, "permission.asked")
      yield* gateway.answer({ questionId, verdict: "allow-for-session" })
      yield* gate.open(JSON.stringify(b))
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* lines(run.sessionId)).slice(2, 4)).toEqual(["write success: wrote a", "write success: wrote b"])
      expect((yield* told(run.sessionId)).filter((line) => line.startsWith("permission.asked"))).toHaveLength(1)
    })
  )

  it.scoped("answered with allow-for-session: the tool's later calls need no question, in later runs too", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" })])
      const { begin, gateway, lines, model, run, seen, send } = asked
      const { id } = yield* onlyQuestion(asked)
      yield* gateway.answer({ questionId: id, verdict: "allow-for-session" })
      yield* gateway.await(run)
      const again = [ScriptedModel.calls(ScriptedModel.call(write, { key: "b" })), ScriptedModel.text("done")]
      yield* model.play(...again)
      yield* gateway.await(yield* send(run.sessionId, "again"))
      expect((yield* lines(run.sessionId)).slice(4)).toEqual([
        "user: again",
        "assistant: (write)",
        "write success: wrote b",
        "assistant: done"
      ])
      yield* model.play(...again)
      yield* seen(yield* begin("in another session"), "permission.asked")
    })
  )

  it.scoped("answered with deny: the call does not run, the model learns who denied it and why", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" })])
      const { gateway, lines, model, run, told } = asked
      const { id } = yield* onlyQuestion(asked)
      yield* gateway.answer({ questionId: id, verdict: "deny", message: "not on Fridays", by: "Ann" })
      yield* gateway.await(run)
      expect((yield* lines(run.sessionId))[2]).toBe("write denied: Denied by Ann: not on Fridays")
      expect(yield* told(run.sessionId)).not.toContain("call.started write")
      expect(JSON.stringify((yield* model.requests)[1]?.view)).toContain("Denied by Ann: not on Fridays")
    })
  )

  it.scoped("denied without a message or a name says that no reason was given", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" })])
      const { id } = yield* onlyQuestion(asked)
      yield* asked.gateway.answer({ questionId: id, verdict: "deny" })
      yield* asked.gateway.await(asked.run)
      expect((yield* asked.lines(asked.run.sessionId))[2]).toBe("write denied: Denied: no reason was given")
    })
  )

  it.scoped("has one answer: a second one is refused with the first verdict, even if both are concurrent", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" })])
      const { gateway, lines, run } = asked
      const { id } = yield* onlyQuestion(asked)
      const answers = yield* Effect.all(
        [
          Effect.either(gateway.answer({ questionId: id, verdict: "deny" })),
          Effect.either(gateway.answer({ questionId: id, verdict: "allow-once" }))
        ],
        { concurrency: "unbounded" }
      )
      expect(answers.map(({ _tag }) => _tag).sort()).toEqual(["Left", "Right"])
      const { answer } = yield* gateway.question(id)
      yield* gateway.await(run)
      const late = yield* Effect.flip(gateway.answer({ questionId: id, verdict: "allow-for-session" }))
      expect(late).toEqual(new SkeinError.QuestionAnswered({ questionId: id, verdict: answer?.verdict ?? "deny" }))
      expect((yield* lines(run.sessionId))[2]).toMatch(answer?.verdict === "deny" ? /^write denied/ : /^write success/)
    })
  )

  it.scoped("that nobody asked is not found", () =>
    Effect.gen(function* () {
      const { gateway } = yield* open()
      const questionId = QuestionId.make("ask_unknown")
      const missing = new SkeinError.QuestionNotFound({ questionId })
      expect(yield* Effect.flip(gateway.question(questionId))).toEqual(missing)
      expect(yield* Effect.flip(gateway.answer({ questionId, verdict: "allow-once" }))).toEqual(missing)
    })
  )

  it.scoped("holds up neither other keys nor earlier calls; later calls of its key wait behind it", () =>
    Effect.gen(function* () {
      const asked = yield* asking([
        ScriptedModel.call(read, { key: "a" }),
        ScriptedModel.call(write, { key: "a" }),
        ScriptedModel.call(read, { key: "a" }),
        ScriptedModel.call(read, { key: "b" })
      ])
      const { gateway, run, seen, told } = asked
      const { id } = yield* onlyQuestion(asked)
      yield* seen(run, "call.finished", 2)
      yield* Quiescence.idle
      expect(yield* states(gateway, run)).toEqual(["1 pending", "2 pending"])
      yield* gateway.answer({ questionId: id, verdict: "allow-once" })
      yield* gateway.await(run)
      expect((yield* told(run.sessionId)).filter((line) => line.startsWith("call.")).slice(-4)).toEqual([
        "call.started write",
        "call.finished write success",
        "call.started read",
        "call.finished read success"
      ])
    })
  )

  it.scoped("lets the later calls of its key go on once it is denied", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" }), ScriptedModel.call(read, { key: "a" })])
      const { id } = yield* onlyQuestion(asked)
      yield* asked.gateway.answer({ questionId: id, verdict: "deny" })
      yield* asked.gateway.await(asked.run)
      expect((yield* asked.lines(asked.run.sessionId))[3]).toBe("read success: read a")
    })
  )

  it.scoped("is closed as denied when its run is cancelled, and its call never starts", () =>
    Effect.gen(function* () {
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" }), ScriptedModel.call(read, { key: "a" })])
      const { gateway, lines, run, told } = asked
      const { id } = yield* onlyQuestion(asked)
      yield* gateway.cancel(run.runId)
      expect((yield* gateway.question(id)).answer).toEqual({
        verdict: "deny",
        message: "the run ended before anybody answered",
        by: null
      })
      expect(yield* gateway.questions()).toEqual([])
      expect((yield* lines(run.sessionId)).slice(2)).toEqual([
        "write never-started: Never started: this call was not run and had no effect.",
        "read never-started: Never started: this call was not run and had no effect."
      ])
      expect((yield* told(run.sessionId, run.cursor)).slice(-6)).toEqual([
        "permission.answered deny",
        "call.finished write never-started",
        "message.appended tool",
        "call.finished read never-started",
        "message.appended tool",
        "run.ended cancelled"
      ])
      const late = yield* Effect.flip(gateway.answer({ questionId: id, verdict: "allow-once" }))
      expect(late._tag).toBe("QuestionAnswered")
    })
  )

  it.scoped("waits without a time limit", () =>
    Effect.gen(function* () {
      // The lease outlives the wait, so that the clock need not stop for each renewal.
      const config = { leaseMillis: 86_400_000 }
      const asked = yield* asking([ScriptedModel.call(write, { key: "a" })], { config })
      const { id } = yield* onlyQuestion(asked)
      yield* TestClock.adjust("5 hours")
      yield* asked.gateway.answer({ questionId: id, verdict: "allow-once" })
      yield* asked.gateway.await(asked.run)
      expect((yield* asked.lines(asked.run.sessionId))[2]).toBe("write success: wrote a")
    })
  )
})

describe("stored rules", () => {
  const rule = (word: Permissions.Rule["word"], pattern: string): Permissions.Rule => ({ word, pattern })
  const run = Tool.make("run", { description: "runs", input: { line: Schema.String } }).handle(
    ({ line }) => Effect.succeed(`ran ${line}`),
    { commands: ({ line }) => Effect.succeed({ commands: line.split("; "), isWhole: !line.includes("$") }) }
  )
  const store = Tool.make("store", { description: "stores", input: { path: Schema.String } }).handle(
    ({ path }) => Effect.succeed(`stored ${path}`),
    { locations: ({ path }) => [{ path }] }
  )

  /** An engine whose agent asks about everything that no rule decides, with its rules. */
  const ruled = Effect.fnUntraced(function* (...rules: ReadonlyArray<Permissions.Rule>) {
    const context = yield* Layer.build(Permissions.layerRules(rules))
    const policy: Permissions.Policy = (request) =>
      Effect.provide(Permissions.byRules(Permissions.askToWrite)(request), context)
    const engine = yield* open({ tools: [read, run, store], policy })
    /** What became of one call, and what was asked about it; the answer is given as soon as it is asked. */
    const call = Effect.fnUntraced(function* (
      part: ReturnType<typeof ScriptedModel.call>,
      verdict: Permission.Verdict
    ) {
      yield* engine.model.play(ScriptedModel.calls(part), ScriptedModel.text("done"))
      const ref = yield* engine.begin("go")
      const asked = yield* Effect.raceFirst(
        Effect.as(engine.gateway.await(ref), null),
        Effect.flatMap(engine.seen(ref, "permission.asked"), ({ questionId }) => engine.gateway.question(questionId))
      )
      if (asked !== null) yield* engine.gateway.answer({ questionId: asked.id, verdict })
      yield* engine.gateway.await(ref)
      return { asked, result: (yield* engine.lines(ref.sessionId))[2] }
    })
    const rulesNow = Effect.flatMap(engine.session(), (session) =>
      Effect.flatMap(Permissions.Rules, (service) => service.of(session))
    ).pipe(Effect.provide(context))
    return { ...engine, call, rulesNow }
  })

  it.scoped("allow or deny the calls that they cover without a question; all others are asked about", () =>
    Effect.gen(function* () {
      const { call } = yield* ruled(
        rule("allow", "run: git status*"),
        rule("deny", "run: rm *"),
        rule("allow", "store: docs/**"),
        rule("ask", "read")
      )
      const line = (line: string) => call(ScriptedModel.call(run, { line }), "deny")
      const path = (path: string) => call(ScriptedModel.call(store, { path }), "deny")
      expect(yield* line("git status --short")).toEqual({ asked: null, result: "run success: ran git status --short" })
      expect((yield* line("git status; git push")).asked).not.toBeNull()
      expect((yield* line("git status $x")).asked).not.toBeNull()
      expect(yield* line("git status; rm x")).toEqual({
        asked: null,
        result: "run denied: Denied: a stored rule denies it: run: rm *"
      })
      expect((yield* path("/docs/a")).asked).toBeNull()
      expect((yield* path("docs/../src/a")).asked?.display.always).toBe("store: src/a")
      expect((yield* call(ScriptedModel.call(read, { key: "a" }), "allow-once")).asked?.display.always).toBeUndefined()
    })
  )

  it.scoped("are created by the answer allow-always as the question showed them, and apply to the next call", () =>
    Effect.gen(function* () {
      const { call, rulesNow } = yield* ruled()
      const first = yield* call(ScriptedModel.call(run, { line: "npm test" }), "allow-always")
      expect(first.asked?.display.always).toBe("run: npm test")
      expect(first.result).toBe("run success: ran npm test")
      expect(yield* rulesNow).toEqual([rule("allow", "run: npm test")])
      expect((yield* call(ScriptedModel.call(run, { line: "npm test" }), "deny")).asked).toBeNull()
      expect((yield* call(ScriptedModel.call(run, { line: "npm test -- x" }), "deny")).asked).not.toBeNull()
    })
  )

  it.scoped("that cannot be stored allow the call once, and its result says so", () =>
    Effect.gen(function* () {
      const full = Layer.succeed(Permissions.Rules, {
        of: () => Effect.succeed([]),
        store: () => Effect.dieMessage("the rules' disk is read-only")
      })
      const policy: Permissions.Policy = (request) =>
        Effect.provide(Permissions.byRules(Permissions.askToWrite)(request), full)
      const { begin, gateway, lines, model, seen } = yield* open({ tools: [run], policy })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(run, { line: "npm test" })), ScriptedModel.text("done"))
      const ref = yield* begin("go")
      const { questionId } = yield* seen(ref, "permission.asked")
      yield* gateway.answer({ questionId, verdict: "allow-always" })
      yield* gateway.await(ref)
      expect((yield* lines(ref.sessionId))[2]).toMatch(
        /^run success: ran npm test\n\[.*only this once.*the rules' disk is read-only.*\]$/
      )
    })
  )

  for (const { by, name, note } of [
    { name: "a rule that covers it by now", by: () => Permissions.allow, note: "" },
    {
      name: "a policy that denies it by now",
      by: () => Permissions.deny("not any more"),
      note: "\n[The call was allowed only this once: its rule could not be stored: Denied: not any more]"
    }
  ]) {
    it.scoped(`are not missed by an answer that another engine takes, with ${name}`, () =>
      Effect.gen(function* () {
        const { model, open } = yield* ground
        const byRules = yield* Layer.build(Permissions.layerRules([]))
        const asking: Permissions.Policy = (request) =>
          Effect.provide(Permissions.byRules(Permissions.askToWrite)(request), byRules)
        const one = yield* open("one", { tools: [run], policy: asking })
        yield* model.play(ScriptedModel.calls(ScriptedModel.call(run, { line: "npm test" })))
        const ref = yield* one.begin("go")
        const { questionId } = yield* one.seen(ref, "permission.asked")
        yield* one.close
        const policy = () => Effect.succeed(by())
        const other = yield* open("other", { tools: [run], policy })
        yield* model.play(ScriptedModel.text("done"))
        yield* other.gateway.answer({ questionId, verdict: "allow-always" })
        yield* other.gateway.await(ref)
        expect((yield* other.lines(ref.sessionId))[2]).toBe(`run success: ran npm test${note}`)
      })
    )
  }

  it.scoped("cannot be created where no single rule covers the call: allow-always is refused, others count", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, seen } = yield* ruled()
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(run, { line: "a; b" })), ScriptedModel.text("done"))
      const ref = yield* begin("go")
      const { questionId } = yield* seen(ref, "permission.asked")
      const refused = yield* Effect.flip(gateway.answer({ questionId, verdict: "allow-always" }))
      expect(refused).toMatchObject({ _tag: "InvalidInput", field: "verdict" })
      yield* gateway.answer({ questionId, verdict: "allow-once" })
      yield* gateway.await(ref)
      const late = yield* Effect.flip(gateway.answer({ questionId, verdict: "allow-always" }))
      expect(late._tag).toBe("QuestionAnswered")
    })
  )
})
