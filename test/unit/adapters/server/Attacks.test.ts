/**
 * What a hostile or an unlucky client writes to a socket with a good token: malformed heads, sends whose answer is
 * lost, answers that come twice, too late or for another call, and texts with unusual characters.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import { describe, expect } from "@effect/vitest"
import { Chunk, Effect, Schema, Stream } from "effect"
import { Permissions, type Run, Session, SessionEvent, Tool } from "skein"
import { SkeinHttp } from "skein/http"
import { ScriptedModel } from "skein/scripted-model"
import * as Net from "node:net"
import * as Server from "./guarded.js"

const ran: Array<string> = []
const ask = Tool.make("ask", { description: "is asked about", input: { of: Schema.String } }).handle(({ of }) =>
  Effect.sync(() => {
    ran.push(of)
    return "ran"
  })
)

/** The ids of the questions that a run asks, by the inputs of the calls. */
const asked = (ref: Run.Ref, ...inputs: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { gateway } = yield* Server.Guarded
    yield* gateway
      .events({ sessionId: ref.sessionId, after: ref.cursor })
      .pipe(Stream.filter(SessionEvent.is("permission.asked")), Stream.take(inputs.length), Stream.runDrain)
    const questions = yield* gateway.questions({ sessionId: ref.sessionId })
    return inputs.map((of) => questions.find(({ input }) => input.includes(JSON.stringify(of)))?.id ?? "")
  })

const allow = JSON.stringify({ verdict: "allow-once" })

describe("with a valid token", () => {
  const it = Server.tests({}, { tools: [ask], policy: Permissions.askToWrite })

  it("a malformed or ambiguous head is refused before it is routed", () =>
    Effect.gen(function* () {
      const { known, own, raw, send } = yield* Server.Guarded
      const host = `Host: ${own.slice(7)}\r\nAuthorization: ${known.authorization}\r\n`
      const post = `POST /v1/sessions HTTP/1.1\r\n${host}Content-Type: application/json\r\n`
      for (const bytes of [
        `GET /v1/sessions HTTP/9.9\r\n${host}\r\n`,
        `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
        `${post}Content-Length: +2\r\n\r\n{}`,
        `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
        `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
        `${post}Content-Length : 2\r\n\r\n{}`
      ]) {
        const answer = yield* raw(bytes)
        expect([bytes, answer.status, answer.tag]).toEqual([bytes, 400, "Malformed"])
      }
      // A request of HTTP/0.9, which has no headers.
      expect(yield* raw("GET /v1/sessions\r\n\r\n")).toMatchObject({ status: 421, tag: "WrongHost" })
      expect((yield* send("GET", "/v1/sessions?total=true", known)).body).toContain(`"total":0`)
    }))

  it("GET and HEAD change nothing, whatever method an override names", () =>
    Effect.gen(function* () {
      const { gateway, known, send } = yield* Server.Guarded
      const { id } = yield* gateway.create({ id: Session.Id.make("read-only") })
      const before = [yield* gateway.session(id), yield* gateway.sessions({ total: true })]
      const paths: Array<string> = []
      HttpApi.reflect(SkeinHttp.api, {
        onGroup: () => {},
        onEndpoint: ({ endpoint }) => void paths.push(endpoint.path.replace(":sessionId", id).replaceAll(/:\w+/g, "1"))
      })
      const override = { ...known, "x-http-method-override": "DELETE", "x-method-override": "DELETE" }
      for (const path of new Set(paths)) {
        if (path.endsWith("/events")) continue
        const answer = yield* send("GET", `${path}?_method=DELETE`, override)
        expect([path, [404, 405, 422].includes(answer.status)]).toEqual([path, true])
        yield* send("GET", path, override)
        yield* send("HEAD", path, override)
      }
      expect([yield* gateway.session(id), yield* gateway.sessions({ total: true })]).toEqual(before)
    }))

  it("a send that is repeated because its answer was lost makes one turn", () =>
    Effect.gen(function* () {
      const { gateway, known, model, own, port, send, session, transcript } = yield* Server.Guarded
      const { id } = yield* session()
      yield* model.play(ScriptedModel.text("once"))
      const path = `/v1/sessions/${id}/messages`
      const body = `{"text":"pay"}`
      const headers = { ...known, "idempotency-key": "k", "content-type": "application/json" }
      const lines = Object.entries({ host: own.slice(7), ...headers, "content-length": body.length })
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")
      yield* Effect.async<void>((resume) => {
        const socket = Net.connect(port, "127.0.0.1", () => {
          socket.write(`POST ${path} HTTP/1.1\r\n${head}\r\n${body}`, () => socket.destroy())
        })
        socket.on("error", () => {}).on("close", () => resume(Effect.void))
      })
      const again = yield* Effect.all([send("POST", path, headers, body), send("POST", path, headers, body)], {
        concurrency: 2
      })
      expect(again.map(({ status }) => status)).toEqual([202, 202])
      expect(again[0].body).toBe(again[1].body)
      const [run, ...others] = yield* gateway.runs({ sessionId: id })
      expect(others).toEqual([])
      if (run !== undefined) yield* gateway.await(yield* gateway.runRef(run.id))
      expect((yield* transcript(id)).map(({ message }) => message.role)).toEqual(["user", "assistant"])
    }))

  it("of two simultaneous answers one is refused, and an answer counts only for its own call", () =>
    Effect.gen(function* () {
      const { begin, gateway, known, model, send } = yield* Server.Guarded
      yield* model.play(
        ScriptedModel.calls(ScriptedModel.call(ask, { of: "a" }), ScriptedModel.call(ask, { of: "b" })),
        ScriptedModel.text("done")
      )
      const ref = yield* begin("go")
      const [first = "", second = ""] = yield* asked(ref, "a", "b")
      const answer = (question: string, body = allow) => send("POST", `/v1/questions/${question}/answer`, known, body)
      const both = yield* Effect.all([answer(first), answer(first, `{"verdict":"deny"}`)], { concurrency: 2 })
      expect(new Set(both.map(({ tag }) => tag))).toEqual(new Set(["QuestionAnswered", undefined]))
      expect((yield* gateway.questions({ sessionId: ref.sessionId })).map(({ id }) => String(id))).toEqual([second])
      expect(ran).not.toContain("b")
      const cancels = yield* Effect.all(
        [1, 2].map(() => send("POST", `/v1/runs/${ref.runId}/cancel`, known, "{}")),
        { concurrency: 2 }
      )
      expect(cancels.map(({ status }) => status)).toEqual([204, 204])
      expect(yield* gateway.await(ref)).toMatchObject({ stopReason: "cancelled" })
      const late = yield* answer(second)
      expect([late.status, late.tag]).toEqual([409, "QuestionAnswered"])
      expect(ran).not.toContain("b")
    }))

  it("a text is stored exactly, however it is cut on the way", () =>
    Effect.gen(function* () {
      const { gateway, known, own, raw, send, session } = yield* Server.Guarded
      const post = (sessionId: string, pieces: ReadonlyArray<Uint8Array>) =>
        raw(
          Buffer.concat([
            Buffer.from(
              `POST /v1/sessions/${sessionId}/transcript HTTP/1.1\r\nHost: ${own.slice(7)}\r\nConnection: close\r\n` +
                `Authorization: ${known.authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
            ),
            ...pieces.flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
            Buffer.from("0\r\n\r\n")
          ])
        )
      const bodyOf = (text: string) =>
        Buffer.from(`{"messages":[{"role":"user","parts":[{"type":"text","text":"${text}"}]}]}`)
      const { id } = yield* session()
      const written = "\ufeffa\uffff\u{1f9f6}\u{10ffff}\u202e\u009b\u007f"
      const bytes = bodyOf(`${written}\\u0000\\u001b]52;c\\u0007\\ud83e\\uddf6`)
      const kept = yield* post(
        id,
        Array.from(bytes, (byte) => Uint8Array.of(byte))
      )
      expect(kept.status).toBe(201)
      const lone = yield* post(id, [bodyOf("a\\ud800b")])
      expect(lone.status).toBe(201)
      const [entry, other] = Chunk.toReadonlyArray(
        yield* Stream.runCollect(gateway.transcript({ sessionId: Session.Id.make(id) }))
      )
      expect(other?.message).toMatchObject({ parts: [{ text: "a\ud800b" }] })
      const read = yield* send("GET", `/v1/sessions/${id}/transcript`, known)
      expect(Server.whole(read)).toContain(`"a\\ud800b"`)
      expect(entry?.message).toMatchObject({
        parts: [{ text: `${written}\u0000\u001b]52;c\u0007\u{1f9f6}` }]
      })
    }))
})
