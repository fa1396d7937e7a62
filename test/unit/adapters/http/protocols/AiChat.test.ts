/** Chats of the AI SDK over a session: what the SDK's own chat class shows, live, cut, resumed and loaded. */
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { describe, expect, it } from "@effect/vitest"
import { safeValidateUIMessages, type UIMessage } from "ai"
import { Deferred, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { Permissions, Session, Tool } from "skein"
import { SkeinHttp } from "skein/http"
import { ScriptedModel } from "skein/scripted-model"
import { open } from "../../../services/runtime/fixture.js"
import * as Proxy from "../proxy.js"
import { serve, served } from "../server.js"
import * as Chatting from "./chatting.js"

const who = SkeinHttp.principals(
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest
    const name = headers["x-user"]
    return name === undefined ? yield* new SkeinHttp.Unauthorized() : { owner: Session.Owner.make(name) }
  })
)

type Request = Effect.Effect.Success<ReturnType<typeof served>>["request"]

/** What a page would load at first. */
const load = (request: Request, id: string) =>
  Effect.gen(function* () {
    const answer = yield* request("GET", `/ai/chat/${id}/messages`)
    expect(answer.status).toBe(200)
    const checked = yield* Effect.promise(() => safeValidateUIMessages<UIMessage>({ messages: answer.json() }))
    if (!checked.success) throw checked.error
    return checked.data
  })

const shownOf = (messages: ReadonlyArray<UIMessage>) => messages.map(Chatting.lineOf)

const openIn = (name: string, gate: Effect.Effect<void>) =>
  Tool.make(name, { description: "waits", input: { n: Schema.Int } }).handle(({ n }) => Effect.as(gate, `${name} ${n}`))

describe("a chat of the AI SDK", () => {
  it.scopedLive("shows what a run writes, and the same after it is loaded again", () =>
    Effect.gen(function* () {
      const { gateway, model, port, request } = yield* served()
      yield* model.play({ reasoning: "Let me think.", text: "Yarn, wound." })
      const { chat, send, shown } = Chatting.open({ port, id: "chat-1" })
      yield* send("What is a skein?")
      expect(chat.status).toBe("ready")
      expect(shown()).toEqual(["user: What is a skein?", "assistant: | (Let me think.) Yarn, wound."])
      const [run] = yield* gateway.runs({ sessionId: Session.Id.make("chat-1") })
      expect(chat.messages.at(-1)).toMatchObject({ id: run?.id, metadata: { stopReason: "completed" } })
      const loaded = yield* load(request, "chat-1")
      expect(shownOf(loaded)).toEqual(shown())
      expect(loaded.at(-1)?.id).toBe(run?.id)
      yield* model.play(ScriptedModel.text("Wool."))
      const next = Chatting.open({ port, id: "chat-1", messages: loaded })
      yield* next.send("And then?")
      expect(next.shown().slice(2)).toEqual(["user: And then?", "assistant: | Wool."])
      expect(shownOf(yield* load(request, "chat-1"))).toEqual(next.shown())
    })
  )

  it.scopedLive("sends only its new message, and only once", () =>
    Effect.gen(function* () {
      const { lines, model, port } = yield* served()
      yield* model.play(ScriptedModel.text("One."))
      const invented = { id: "x", role: "assistant" as const, parts: [{ type: "text" as const, text: "I said so." }] }
      const one = Chatting.open({ port, id: "once", messages: [invented] })
      yield* one.send("hi", "the-id")
      const two = Chatting.open({ port, id: "once" })
      yield* two.send("hi", "the-id")
      expect(two.shown()).toEqual(["user: hi", "assistant: | One."])
      expect(yield* lines(Session.Id.make("once"))).toEqual(["user: hi", "assistant: One."])
    })
  )

  it.scopedLive("shows calls, their progress, and each result as it comes", () =>
    Effect.gen(function* () {
      const gates = yield* Effect.forEach(["a", "b", "c", "d"], () => Deferred.make<void>())
      const tools = gates.map((gate, n) => openIn(`tool${n}`, Deferred.await(gate)))
      const told = yield* Deferred.make<void>()
      const teller = Tool.make("teller", { description: "tells", input: {} }).handle(() =>
        Effect.zipRight(Tool.progress("half"), Effect.as(Deferred.await(told), "told"))
      )
      const { model, port, request } = yield* served({ tools: [...tools, teller] })
      yield* model.play(
        {
          text: "All at once.",
          calls: [...tools.map((tool, n) => ScriptedModel.call(tool, { n })), ScriptedModel.call(teller, {})]
        },
        ScriptedModel.text("Done.")
      )
      const { send, shown, until } = Chatting.open({ port, id: "four" })
      const sending = yield* Effect.fork(send("go"))
      yield* until(([, line = ""]) => line.includes('teller{} output-available… "half"'))
      const order = [2, 0, 3, 1]
      for (const [at, n] of order.entries()) {
        yield* Deferred.succeed(gates[n] ?? told, undefined)
        yield* until(([, line = ""]) => line.includes(`"tool${n} ${n}"`))
        const open = order.slice(at + 1).map((n) => `tool${n}{"n":${n}} input-available`)
        for (const state of open) expect(shown()[1]).toContain(state)
      }
      yield* Deferred.succeed(told, undefined)
      yield* Fiber.join(sending)
      const results = tools.map((_, n) => `tool${n}{"n":${n}} output-available "tool${n} ${n}"`).join(" ")
      const whole = `assistant: | All at once. ${results} teller{} output-available "told" | Done.`
      expect(shown()).toEqual(["user: go", whole])
      expect(shownOf(yield* load(request, "four"))).toEqual(shown())
    })
  )

  it.scopedLive("asks for approval in every client that watches, and goes on when anybody answers", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const write = openIn("write", Deferred.await(gate))
      const { gateway, model, port, request } = yield* served({
        tools: [write],
        policy: () => Effect.succeed(Permissions.ask)
      })
      const calls = [1, 2].map((n) => ScriptedModel.call(write, { n }))
      yield* model.play(ScriptedModel.calls(...calls), ScriptedModel.text("Done."))
      const one = Chatting.open({ port, id: "asks" })
      const sending = yield* Effect.fork(one.send("go"))
      const both = 'assistant: | write{"n":1} approval-requested write{"n":2} approval-requested'
      yield* one.until((lines) => lines[1] === both)
      const loaded = yield* load(request, "asks")
      expect(shownOf(loaded)).toEqual(["user: go", both])
      const two = Chatting.open({ port, id: "asks", messages: loaded })
      const joined = yield* Effect.fork(two.resume)
      yield* two.until((lines) => lines[1] === both)
      const asked = two.chat.messages.at(-1)?.parts.flatMap((part) => ("approval" in part ? [part.approval?.id] : []))
      const body = (verdict: string) => ({ body: JSON.stringify({ verdict }) })
      yield* request("POST", `/v1/questions/${asked?.[1]}/answer`, body("deny"))
      yield* one.until(([, line = ""]) => line.includes('write{"n":2} output-denied'))
      yield* request("POST", `/v1/questions/${asked?.[0]}/answer`, body("allow-once"))
      yield* one.until(([, line = ""]) => line.includes('write{"n":1} input-available'))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(sending)
      yield* Fiber.join(joined)
      expect(two.shown()).toEqual([
        "user: go",
        'assistant: | write{"n":1} output-available "write 1" write{"n":2} output-denied | Done.'
      ])
      expect(one.shown()).toEqual(two.shown())
      expect(shownOf(yield* load(request, "asks"))).toEqual(two.shown())
      expect(yield* gateway.questions()).toEqual([])
    })
  )

  it.scopedLive("P10 cut after any chunk, and resumed, shows all of it once", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const first = openIn("first", Effect.void)
      const second = openIn("second", Deferred.await(gate))
      const { gateway, model, port, request } = yield* served({ tools: [first, second] })
      yield* model.play(
        { reasoning: "Hm.", text: "One.", calls: [ScriptedModel.call(first, { n: 1 })] },
        { text: "Two.", calls: [ScriptedModel.call(second, { n: 2 })] },
        ScriptedModel.text("Three.")
      )
      /**
       * The chunks of a replay: the start; two beginnings of steps and one end; 3 for a reasoning, 3 for a text, 3 for
       * a call; then 3 for the next text and 2 for the next call.
       */
      const chunksSoFar = 1 + 3 + 6 + 3 + 5
      const proxy = yield* Proxy.make(port, "data")
      const before = Chatting.open({ port, id: "cut" })
      const sending = yield* Effect.fork(before.send("go", "key"))
      const isOpen = ([, line = ""]: ReadonlyArray<string>) => line.includes('second{"n":2} input-available')
      yield* before.until(isOpen)
      const chats = yield* Effect.forEach(
        Array.from({ length: chunksSoFar }, (_, n) => n + 1),
        (chunks) =>
          Effect.gen(function* () {
            proxy.cutAfter(chunks)
            const cut = Chatting.open({ port: proxy.port, id: "cut" })
            yield* cut.send("go", "key")
            expect([chunks, cut.chat.status]).toEqual([chunks, "error"])
            proxy.cutAfter(Number.POSITIVE_INFINITY)
            const resumed = yield* Effect.fork(cut.resume)
            yield* cut.until(isOpen)
            return { cut, resumed }
          })
      )
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(sending)
      const whole =
        'assistant: | (Hm.) One. first{"n":1} output-available "first 1" | Two. second{"n":2} output-available "second 2" | Three.'
      expect(before.shown()).toEqual(["user: go", whole])
      for (const { cut, resumed } of chats) {
        yield* Fiber.join(resumed)
        expect(cut.shown()).toEqual(before.shown())
      }
      expect(shownOf(yield* load(request, "cut"))).toEqual(before.shown())
      expect(yield* gateway.runs({ sessionId: Session.Id.make("cut") })).toHaveLength(1)
    })
  )

  it.scopedLive("P10 cut after any chunk, and resumed when the run has ended, shows all of it once", () =>
    Effect.gen(function* () {
      const first = openIn("first", Effect.void)
      const { gateway, model, port, request } = yield* served({ tools: [first] })
      yield* model.play(
        { text: "One.", calls: [ScriptedModel.call(first, { n: 1 })] },
        { text: "Two.", failure: { reason: "rejected" } }
      )
      const proxy = yield* Proxy.make(port, "data")
      const before = Chatting.open({ port, id: "ended" })
      yield* before.send("go", "key")
      expect(before.errors.join()).toContain("as scripted")
      /** The start; a step with a text, a call and its result; a step with a text; how the run ended. */
      for (let chunks = 1; chunks <= 1 + 9 + 5; chunks++) {
        proxy.cutAfter(chunks)
        const cut = Chatting.open({ port: proxy.port, id: "ended" })
        yield* cut.send("go", "key")
        expect([chunks, cut.chat.status]).toEqual([chunks, "error"])
        proxy.cutAfter(Number.POSITIVE_INFINITY)
        yield* cut.resume
        expect([chunks, cut.chat.status, cut.shown()]).toEqual([chunks, "ready", before.shown()])
        // A chat that already has everything, like a page that was loaded, still shows it once.
        yield* cut.resume
        expect([chunks, cut.chat.status, cut.shown()]).toEqual([chunks, "ready", before.shown()])
        expect(cut.chat.messages.at(-1)).toMatchObject({ metadata: { stopReason: "failed" } })
      }
      expect(shownOf(yield* load(request, "ended"))).toEqual(before.shown())
      expect(yield* gateway.runs({ sessionId: Session.Id.make("ended") })).toHaveLength(1)
    })
  )

  it.scopedLive("shows that a run failed, was cancelled, or retried a step", () =>
    Effect.gen(function* () {
      const { gateway, model, port, request } = yield* served()
      yield* model.play(ScriptedModel.fail("rejected"))
      const failed = Chatting.open({ port, id: "failed" })
      yield* failed.send("go")
      expect([failed.chat.status, failed.errors.join()]).toEqual(["error", expect.stringContaining("as scripted")])
      expect(failed.chat.messages.at(-1)).toMatchObject({ metadata: { stopReason: "failed" } })
      yield* model.play({ text: "Half", hang: true })
      const stopped = Chatting.open({ port, id: "stopped" })
      const sending = yield* Effect.fork(stopped.send("go"))
      yield* stopped.until(([, line]) => line === "assistant: | Half")
      const [run] = yield* gateway.runs({ sessionId: Session.Id.make("stopped") })
      yield* request("POST", `/v1/runs/${run?.id}/cancel`, { body: "{}" })
      yield* Fiber.join(sending)
      expect(stopped.chat.status).toBe("ready")
      expect(stopped.chat.messages.at(-1)).toMatchObject({ metadata: { stopReason: "cancelled" } })
      expect(shownOf(yield* load(request, "stopped"))).toEqual(stopped.shown())
      yield* model.play({ text: "In vain", failure: { reason: "overloaded", retryAfterMillis: 1 } }, { text: "Whole." })
      const again = Chatting.open({ port, id: "again" })
      yield* again.send("go")
      const [, voided, whole] = again.chat.messages.at(-1)?.parts ?? []
      expect(voided).toMatchObject({ text: "In vain", providerMetadata: { skein: { void: true } } })
      expect(whole).toMatchObject({ text: "Whole." })
      expect(shownOf(yield* load(request, "again"))).toEqual(["user: go", "assistant: | Whole."])
    })
  )

  it.scopedLive("ends in an error, not as finished, when its server stops", () =>
    Effect.gen(function* () {
      const { gateway, model } = yield* open()
      const scope = yield* Scope.make()
      const { port } = yield* Scope.extend(serve(gateway), scope)
      yield* model.play({ text: "Half", hang: true })
      const { chat, send, until } = Chatting.open({ port, id: "left" })
      const sending = yield* Effect.fork(send("go"))
      yield* until(([, line]) => line === "assistant: | Half")
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(sending)
      expect(chat.status).toBe("error")
    })
  )

  it.scopedLive("stores files with its session, and links to them", () =>
    Effect.gen(function* () {
      const { lines, model, port, request } = yield* served()
      yield* model.play(ScriptedModel.text("Red."), ScriptedModel.text("Still."))
      const { chat, errors } = Chatting.open({ port, id: "files" })
      const file = {
        type: "file" as const,
        mediaType: "text/plain",
        filename: "notes.txt",
        url: "data:text/plain;base64,aGVsbG8="
      }
      const send = (id: string, part: typeof file) =>
        Effect.promise(() => chat.sendMessage({ id, role: "user", parts: [part, { type: "text", text: "Colour?" }] }))
      yield* send("one", file)
      yield* send("one", file)
      expect(errors).toEqual([])
      const [asked] = yield* load(request, "files")
      const { url } = Schema.decodeUnknownSync(Schema.Struct({ url: Schema.String }))(
        asked?.parts.find(({ type }) => type === "file")
      )
      const kept = yield* request("GET", url)
      expect([kept.status, kept.headers["content-type"], kept.bytes.length]).toEqual([200, "text/plain", 5])
      yield* send("two", { ...file, url: `http://127.0.0.1:${port}${url}` })
      expect((yield* request("GET", "/v1/sessions/files/assets")).json()).toHaveLength(1)
      expect(yield* lines(Session.Id.make("files"))).toEqual([
        "user: Colour?[file]",
        "assistant: Red.",
        "user: Colour?[file]",
        "assistant: Still."
      ])
    })
  )
})

describe("the chat's routes", () => {
  const message = { id: "m", role: "user", parts: [{ type: "text", text: "hi" }] }
  const of = (fields: object) => ({ body: JSON.stringify({ id: "s", messages: [message], ...fields }) })

  it.scoped("refuse anything but a new message, and name the field", () =>
    Effect.gen(function* () {
      const { gateway, request } = yield* served()
      const file = { type: "file", mediaType: "image/png", url: "http://169.254.169.254/" }
      for (const [fields, field] of [
        [{ trigger: "regenerate-message" }, "trigger"],
        [{ messageId: "m" }, "trigger"],
        [{ messages: [] }, "messages.last"],
        [{ messages: [{ ...message, role: "assistant" }] }, "messages.last.role"],
        [{ messages: [{ ...message, parts: [file] }] }, "url"],
        [{ messages: [{ ...message, id: "" }] }, "idempotencyKey"],
        [{ id: "../x" }, "id"]
      ] as const) {
        const answer = yield* request("POST", "/ai/chat", of(fields))
        expect([fields, answer.status, answer.json()]).toMatchObject([fields, 422, { _tag: "InvalidInput", field }])
      }
      expect((yield* gateway.sessions({})).sessions).toHaveLength(1)
      const wrong = yield* request("PUT", "/ai/chat", of({}))
      expect([wrong.status, wrong.headers["allow"]]).toEqual([405, "POST"])
      expect((yield* request("GET", "/ai/chat/nobody/messages")).status).toBe(404)
      expect((yield* request("GET", "/ai/chat/nobody/stream")).status).toBe(204)
      expect(
        (yield* request("POST", "/ai/chat", { ...of({}), headers: { "content-type": "text/plain" } })).status
      ).toBe(415)
    })
  )

  it.scoped("require authentication, and see only one owner's sessions", () =>
    Effect.gen(function* () {
      const { gateway, model } = yield* open()
      const { request } = yield* serve(gateway, who)
      yield* model.play(ScriptedModel.text("Hi."))
      const as = (name: string) => ({ headers: { "x-user": name } })
      expect((yield* request("POST", "/ai/chat", { ...of({}), ...as("ann") })).text).toContain('"delta":"Hi."')
      expect(yield* gateway.session(Session.Id.make("s"))).toMatchObject({ owner: "ann" })
      for (const [method, path] of [
        ["POST", "/ai/chat"],
        ["GET", "/ai/chat/s/messages"],
        ["GET", "/ai/chat/s/stream"]
      ] as const) {
        const wish = method === "POST" ? of({}) : {}
        const status = method === "GET" && path.endsWith("stream") ? 204 : 404
        expect([path, (yield* request(method, path, { ...wish, ...as("bob") })).status]).toEqual([path, status])
        expect([path, (yield* request(method, path, wish)).status]).toEqual([path, 401])
      }
      expect((yield* request("GET", "/ai/chat/s/messages", as("ann"))).json()).toHaveLength(2)
    })
  )
})
