/** What an editor's user is shown of a call that is asked about, and what each answer does. */
import { RequestError, type RequestPermissionRequest, type RequestPermissionResponse } from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, identity } from "effect"
import { mkdir } from "node:fs/promises"
import { SessionId } from "../../../../src/domain/Session.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import * as TestWorkspace from "../tools/TestWorkspace.js"
import * as TestEditor from "./TestEditor.js"

const { methods } = TestEditor

const call = (name: string, input: object) => ({ name, input: JSON.stringify(input) })

const write = (path: string) => ScriptedModel.calls(call("write", { path, content: "x" }))

const inquire = (link: boolean) => ScriptedModel.calls(call("inquire", { link }))

type Policy = Permissions.Policy<Permissions.Rules>

const selected = (optionId: string): RequestPermissionResponse => ({ outcome: { outcome: "selected", optionId } })

/** An editor whose user answers each question with the option that `choose` names. */
const asked = (choose: (params: RequestPermissionRequest) => string, policy: Policy = Permissions.askToWrite) =>
  TestEditor.open({
    policy,
    handle: (app) => app.onRequest(methods.client.session.requestPermission, ({ params }) => selected(choose(params)))
  })

type Reply = () => object | Promise<object>

/** An editor that answers requests of a method with whatever `reply` returns or throws. */
const replying = (method: string, reply: Reply, options: TestEditor.Options) =>
  TestEditor.open({ ...options, handle: (app) => app.onRequest(method, (params) => params, reply) })

const replyingToQuestions = (reply: Reply, change: NonNullable<TestEditor.Options["change"]> = identity) =>
  replying(methods.client.session.requestPermission, reply, { policy: Permissions.askToWrite, change })

const forms = { elicitation: { form: {}, url: {} } }

describe("a question", () => {
  it.scopedLive("shows the whole input: title and content hide nothing of a command, a change or other fields", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": "one\r\ntwo\r\n", "b.bin": new Uint8Array([0]) })
      yield* Effect.promise(() => mkdir(at("folder")))
      const shown: Array<RequestPermissionRequest["toolCall"]> = []
      const editor = yield* asked(({ toolCall }) => {
        shown.push(toolCall)
        return "deny"
      })
      const { sessionId } = yield* editor.session(workdir)
      const long = `echo ${"a".repeat(2000)}\nrm x`
      const inputs = [
        call("shell", { command: "echo harmless\nrm -rf ./precious" }),
        call("shell", { command: "\n\n  echo ```<!--\n\u202erm x", timeoutMs: 7 }),
        call("shell", { command: long }),
        call("write", { path: "new.txt", content: "n\n" }),
        call("write", { path: "a.txt", content: "three\n" }),
        call("write", { path: "b.bin", content: "text" }),
        call("write", { path: "folder", content: "" }),
        call("edit", { path: "c.txt", oldText: "one", newText: "1", all: true }),
        call("write", { path: "big.txt", content: "b".repeat(100_000) })
      ]
      yield* editor.model.play(ScriptedModel.calls(...inputs), ScriptedModel.text("Done."))
      yield* editor.prompt(sessionId, "Go")
      const [two, hidden, cut, created, replaced, binary, folder, edited, big] = inputs.map(({ input }) =>
        shown.find(({ rawInput }) => JSON.stringify(rawInput) === input)
      )
      const texts = (update: (typeof shown)[number] | undefined) =>
        (update?.content ?? []).map((one) =>
          one.type === "content" && one.content.type === "text" ? one.content.text : one
        )
      expect(two?.title).toBe("echo harmless␊rm -rf ./precious")
      expect(texts(two)).toEqual(["```console\necho harmless\nrm -rf ./precious\n```"])
      expect(hidden?.title).toBe('echo ```<!--␊\\u202erm x {"timeoutMs":7}')
      expect(texts(hidden)).toEqual([
        "````console\n\n\n  echo ```<!--\n\\u202erm x\n````",
        '```json\n{\n  "timeoutMs": 7\n}\n```'
      ])
      expect(cut?.title).toMatch(/^echo a+…$/)
      expect(texts(cut)).toEqual([`\`\`\`console\n${long}\n\`\`\``])
      expect(created).toMatchObject({ title: "Write new.txt", kind: "edit", rawInput: { path: "new.txt" } })
      expect(created?.content).toEqual([{ type: "diff", path: at("new.txt"), oldText: null, newText: "n\n" }])
      // As it will be written: the tool keeps the file's line ends.
      expect(replaced?.content).toEqual([
        { type: "diff", path: at("a.txt"), oldText: "one\r\ntwo\r\n", newText: "three\r\n" }
      ])
      expect(binary?.content).toEqual([{ type: "diff", path: at("b.bin"), oldText: null, newText: "text" }])
      expect(folder?.content).toMatchObject([{ type: "diff", oldText: null, newText: "" }])
      expect(edited?.title).toBe('Edit c.txt {"all":true}')
      expect(texts(edited)).toEqual([
        { type: "diff", path: at("c.txt"), oldText: "one", newText: "1" },
        '```json\n{\n  "all": true\n}\n```'
      ])
      const [change] = big?.content ?? []
      expect(change?.type === "diff" ? change.newText : "").toMatch(/^b{65536}\n\[… 34464 more characters\]$/)
    })
  )

  it.scopedLive("shows the input of a tool that has no title", () =>
    Effect.gen(function* () {
      const titles: Array<unknown> = []
      const editor = yield* asked(({ toolCall }) => {
        titles.push([toolCall.title, toolCall.content])
        return "deny"
      })
      const { sessionId } = yield* editor.session("/")
      yield* editor.model.play(
        ScriptedModel.calls(call("inquire", { link: true }), call("plan", { steps: [] })),
        ScriptedModel.text("Done.")
      )
      yield* editor.prompt(sessionId, "Go")
      expect(titles).toContainEqual([
        'inquire {"link":true}',
        [{ type: "content", content: { type: "text", text: '```json\n{\n  "link": true\n}\n```' } }]
      ])
    })
  )

  it.scopedLive("has one option of each kind; allowing for the session is the one that lasts", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const questions: Array<RequestPermissionRequest> = []
      const editor = yield* asked((params) => {
        questions.push(params)
        return "allow-for-session"
      }, Permissions.byRules(Permissions.askToWrite))
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(write("docs/a"), write("docs/a"), ScriptedModel.text("Done."))
      yield* editor.prompt(sessionId, "Go")
      expect(questions.map(({ options }) => options)).toEqual([
        [
          { optionId: "allow-once", name: "Allow", kind: "allow_once" },
          { optionId: "allow-for-session", name: "Allow write in this session", kind: "allow_always" },
          { optionId: "deny", name: "Deny", kind: "reject_once" }
        ]
      ])
      expect(questions[0]?.toolCall.locations).toEqual([{ path: `${workdir}/docs/a` }])
      expect(TestEditor.results(editor.updates).map(({ status }) => status)).toEqual(["completed", "completed"])
    })
  )

  const noAnswers: ReadonlyArray<readonly [string, Reply]> = [
    ["is dismissed", () => ({ outcome: { outcome: "cancelled" } })],
    ["gets an option that was not offered", () => selected("allow-always")],
    ["gets an answer of no known form", () => ({ outcome: "allow-once" })],
    [
      "cannot be shown",
      () => {
        throw new RequestError(-32602, "no such session")
      }
    ]
  ]
  for (const [how, reply] of noAnswers)
    it.scopedLive(`that ${how} denies the call, and the run goes on`, () =>
      Effect.gen(function* () {
        const { workdir } = yield* TestWorkspace.make()
        const editor = yield* replyingToQuestions(reply)
        const { sessionId } = yield* editor.session(workdir)
        yield* editor.model.play(write("a"), ScriptedModel.text("Then not."))
        expect(yield* editor.prompt(sessionId, "Go")).toMatchObject({ stopReason: "end_turn" })
        expect(yield* editor.answers(sessionId)).toEqual(["Denied: the question was dismissed"])
      })
    )

  it.scopedLive("that is dismissed because of a cancellation is a part of that", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const made = Deferred.make<void>()
      const [isAsked, isDismissed, isCancelling, mayCancel] = yield* Effect.all([made, made, made, made])
      const answers: Array<object> = []
      const editor = yield* replyingToQuestions(
        () => {
          Deferred.unsafeDone(isAsked, Effect.void)
          return Effect.runPromise(Effect.as(Deferred.await(isDismissed), { outcome: { outcome: "cancelled" } }))
        },
        (gateway) => ({
          ...gateway,
          answer: (answer) => {
            answers.push(answer)
            return gateway.answer(answer)
          },
          cancel: (runId) =>
            Deferred.succeed(isCancelling, undefined).pipe(
              Effect.zipRight(Deferred.await(mayCancel)),
              Effect.zipRight(gateway.cancel(runId))
            )
        })
      )
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(write("a"), ScriptedModel.text("On."))
      const prompt = yield* Effect.fork(editor.prompt(sessionId, "Go"))
      yield* Deferred.await(isAsked)
      yield* Effect.promise(() => editor.agent.notify(methods.agent.session.cancel, { sessionId }))
      yield* Deferred.await(isCancelling)
      yield* Deferred.succeed(isDismissed, undefined)
      yield* Effect.promise(() => editor.agent.request(methods.agent.session.list, {}))
      yield* Deferred.succeed(mayCancel, undefined)
      expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "cancelled" })
      expect(answers).toEqual([])
    })
  )

  it.scopedLive("is withdrawn when its session is closed", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const isAsked = yield* Deferred.make<void>()
      const withdrawn = yield* Deferred.make<void>()
      const editor = yield* TestEditor.open({
        policy: Permissions.askToWrite,
        handle: (app) =>
          app.onRequest(methods.client.session.requestPermission, ({ signal }) => {
            Deferred.unsafeDone(isAsked, Effect.void)
            signal.addEventListener("abort", () => Deferred.unsafeDone(withdrawn, Effect.void))
            return new Promise(() => {})
          })
      })
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(write("a"))
      yield* editor.gateway.send({ sessionId: SessionId.make(sessionId), text: "From elsewhere" })
      yield* Deferred.await(isAsked)
      yield* Effect.promise(() => editor.agent.request(methods.agent.session.close, { sessionId }))
      yield* Deferred.await(withdrawn)
      expect(yield* editor.gateway.questions({ sessionId: SessionId.make(sessionId) })).toHaveLength(1)
    })
  )
})

describe("an inquiry", () => {
  it.scopedLive("of a running call is a form, asked again if the answer does not fit, or a link", () =>
    Effect.gen(function* () {
      const shown: Array<object> = []
      const editor = yield* TestEditor.open({
        capabilities: forms,
        handle: (app) =>
          app.onRequest(methods.client.elicitation.create, ({ params }) => {
            shown.push(params)
            if (params.mode === "url") return { action: "decline" }
            return { action: "accept", content: { colour: shown.length === 1 ? "blue" : "g" } }
          })
      })
      const { sessionId } = yield* editor.session("/")
      yield* editor.model.play(inquire(false), inquire(true), ScriptedModel.text("Done."))
      yield* editor.prompt(sessionId, "Go")
      expect(shown).toMatchObject([
        {
          message: "painter: Which one?",
          requestedSchema: {
            properties: { colour: { type: "string", title: "Colour", oneOf: [{ const: "r" }, { const: "g" }] } },
            required: ["colour"]
          }
        },
        { mode: "form" },
        { mode: "url", url: "https://painter.example/" }
      ])
      const [colour, page] = yield* editor.answers(sessionId)
      expect(colour).toContain('{"colour":"g"}')
      expect(page).toContain("Declined")
    })
  )

  const noAnswers: ReadonlyArray<readonly [string, Reply]> = [
    ["is cancelled", () => ({ action: "cancel" })],
    ["gets an answer of no known form", () => ({})],
    ["never gets an answer that fits", () => ({ action: "accept", content: { colour: "blue" } })],
    [
      "cannot be shown",
      () => {
        throw new RequestError(-32603, "no window")
      }
    ]
  ]
  for (const [how, reply] of noAnswers)
    it.scopedLive(`that ${how} is dismissed, and the call goes on`, () =>
      Effect.gen(function* () {
        const editor = yield* replying(methods.client.elicitation.create, reply, { capabilities: forms })
        const { sessionId } = yield* editor.session("/")
        yield* editor.model.play(inquire(false), ScriptedModel.text("Done."))
        expect(yield* editor.prompt(sessionId, "Go")).toMatchObject({ stopReason: "end_turn" })
        expect(yield* editor.answers(sessionId)).toEqual(['{"_tag":"Dismissed"}'])
      })
    )

  it.scopedLive("without forms can be denied, a link confirmed; allowing every call answers neither", () =>
    Effect.gen(function* () {
      const options: Array<ReadonlyArray<string>> = []
      const editor = yield* asked(({ options: offered, toolCall }) => {
        options.push([toolCall.title ?? "", ...offered.map(({ optionId }) => optionId)])
        return offered[0]?.optionId ?? ""
      }, Permissions.allowAll)
      const { sessionId } = yield* editor.session("/")
      yield* Effect.promise(() =>
        editor.agent.request(methods.agent.session.setConfigOption, {
          sessionId,
          configId: "permission",
          value: "allow"
        })
      )
      yield* editor.model.play(inquire(false), inquire(true), ScriptedModel.text("Done."))
      yield* editor.prompt(sessionId, "Go")
      expect(options).toEqual([
        ["painter: Which one?", "deny"],
        ["painter: Which one? https://painter.example/", "allow-once", "deny"]
      ])
      const [colour, page] = yield* editor.answers(sessionId)
      expect(colour).toContain("Declined")
      expect(page).toContain("Given")
    })
  )
})
