/** Events over HTTP: replayed and live, continued from any position, and ended cleanly. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Scope, Stream, TestClock } from "effect"
import { Permissions, Session, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { open } from "../../services/runtime/fixture.js"
import { type Frame, listen } from "./listening.js"
import { serve, served } from "./server.js"

const is = (event: string) => (frame: Frame | null) => frame?.event === event
const types = (frames: ReadonlyArray<Frame>) => frames.map(({ event, id }) => (id === "" ? event : `${id} ${event}`))

describe("events over HTTP", () => {
  it.scoped("P10 are replayed, then live, each with its cursor as id and its JSON as data", () =>
    Effect.gen(function* () {
      const { gateway, port, session } = yield* served()
      const { id } = yield* session({ title: "a" })
      yield* gateway.patch({ sessionId: id, title: "b\nid: 7\n\n" })
      const { headers, remarks, status, until } = yield* listen(port, `/v1/sessions/${id}/events`)
      expect(status).toBe(200)
      expect(headers).toMatchObject({
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff"
      })
      const before = yield* until(is("synced"))
      expect(remarks).toEqual(["retry: 1000"])
      expect(types(before)).toEqual(["1 session.created", "2 session.renamed", "synced"])
      expect(before.at(-1)?.data).toBe('{"cursor":2}')
      yield* gateway.patch({ sessionId: id, title: "c" })
      const after = yield* until(is("session.renamed"))
      expect(types(after)).toEqual(["3 session.renamed"])
      const events = yield* Stream.runCollect(
        Stream.take(gateway.events({ sessionId: id, after: Session.Cursor.make(2) }), 1)
      )
      expect(after.map(({ data }) => data)).toEqual([...events].map(SessionEvent.toJson))
      yield* gateway.delete(id)
      expect(types(yield* until(() => false))).toEqual(["4 session.deleted"])
    })
  )

  it.scoped("P10 end with what was there when the client connected, if it wants nothing live", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { id } = yield* session()
      const written = Effect.repeatN(Effect.orDie(gateway.patch({ sessionId: id, title: "more" })), 299)
      const { port } = yield* serve({
        ...gateway,
        subscribe: (range) => Effect.zipRight(written, gateway.subscribe(range))
      })
      const { until } = yield* listen(port, `/v1/sessions/${id}/events?live=false`)
      const frames = yield* until(() => false)
      expect(frames.at(-1)).toMatchObject({ event: "synced", data: JSON.stringify({ cursor: frames.length - 1 }) })
    })
  )

  it.scoped("include deltas and entries only for clients that ask for them", () =>
    Effect.gen(function* () {
      const { gateway, model, port, send, session } = yield* served()
      const { id } = yield* session()
      const plain = yield* listen(port, `/v1/sessions/${id}/events`)
      const whole = yield* listen(port, `/v1/sessions/${id}/events?deltas=1&entries=true`)
      yield* whole.until(is("synced"))
      yield* plain.until(is("synced"))
      yield* model.play(ScriptedModel.text("hello"))
      yield* gateway.await(yield* send(id, "hi"))
      const told = yield* whole.until(is("run.ended"))
      const quiet = yield* plain.until(is("run.ended"))
      expect(types(told)).toContain("text.delta")
      expect(types(quiet)).not.toContain("text.delta")
      expect(types(told.filter(({ id }) => id !== ""))).toEqual(types(quiet))
      const appended = (frames: ReadonlyArray<Frame>) => frames.find(is("message.appended"))?.data ?? ""
      expect(JSON.parse(appended(told))).toMatchObject({ entry: { message: { role: "user" } } })
      expect(appended(quiet)).not.toContain("entry")
    })
  )

  it.scoped("P10 continue after `Last-Event-ID`, which overrides `after`", () =>
    Effect.gen(function* () {
      const { gateway, port, session } = yield* served()
      const { id } = yield* session()
      for (const title of ["a", "b", "c"]) yield* gateway.patch({ sessionId: id, title })
      const from = (path: string, headers = {}) =>
        Effect.flatMap(listen(port, `/v1/sessions/${id}/events${path}`, headers), ({ until }) =>
          Effect.map(until(is("synced")), types)
        )
      expect(yield* from("?after=2")).toEqual(["3 session.renamed", "4 session.renamed", "synced"])
      expect(yield* from("?after=1", { "last-event-id": "3" })).toEqual(["4 session.renamed", "synced"])
      expect(yield* from("", { "last-event-id": "4" })).toEqual(["synced"])
    })
  )

  it.scoped("P10 tell a client whose cursor is past the newest to reload, and continue from the newest", () =>
    Effect.gen(function* () {
      const { gateway, port, session } = yield* served()
      const { id } = yield* session()
      const { next, until } = yield* listen(port, `/v1/sessions/${id}/events`, { "last-event-id": "99" })
      expect(yield* next).toEqual({ id: "", event: "reload", data: '{"oldest":1,"newest":1}' })
      expect(yield* next).toEqual({ id: "", event: "synced", data: '{"cursor":1}' })
      yield* gateway.patch({ sessionId: id, title: "a" })
      expect(types(yield* until(is("session.renamed")))).toEqual(["2 session.renamed"])
    })
  )

  it.scoped("of a missing session are a 404, before any stream", () =>
    Effect.gen(function* () {
      const { request } = yield* served()
      const answer = yield* request("GET", "/v1/sessions/nobody/events")
      expect([answer.status, answer.json()]).toMatchObject([404, { _tag: "SessionNotFound" }])
    })
  )

  it.scoped("of all sessions begin with a gap; each change is a hint", () =>
    Effect.gen(function* () {
      const { port, session } = yield* served()
      const { next, until } = yield* listen(port, "/v1/events")
      expect(yield* next).toEqual({ id: "", event: "gap", data: '{"kind":"gap"}' })
      const { id } = yield* session()
      const [hint] = yield* until(is("session.created"))
      expect(JSON.parse(hint?.data ?? "")).toMatchObject({ sessionId: id, cursor: 1, activity: "idle" })
    })
  )

  it.scoped("have a heartbeat while nothing happens, on streams of one session and of all, from one timer", () =>
    Effect.gen(function* () {
      const { port, request, session } = yield* served()
      const { id } = yield* session()
      const one = yield* listen(port, `/v1/sessions/${id}/events`)
      yield* one.next
      yield* one.next
      yield* TestClock.adjust("14 seconds")
      const other = yield* listen(port, "/v1/events")
      yield* other.next
      for (const [time, beats] of [
        ["1 second", [": hb"]],
        ["15 seconds", [": hb", ": hb"]]
      ] as const) {
        yield* TestClock.adjust(time)
        yield* request("GET", "/v1/sessions")
        expect([one.remarks, other.remarks]).toEqual([
          ["retry: 1000", ...beats],
          ["retry: 1000", ...beats]
        ])
      }
    })
  )

  it.scoped("end with `closing` when the server stops; waiting requests are refused, and runs go on", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const waiting = yield* Deferred.make<void>()
      const wait = Tool.make("wait", { description: "waits", input: {} }).handle(() => Deferred.await(gate))
      const { begin, gateway, model, seen } = yield* open({ tools: [wait], policy: Permissions.allowAll })
      const scope = yield* Scope.make()
      const { port, request } = yield* Scope.extend(
        serve({
          ...gateway,
          await: (ref) => Effect.zipRight(Deferred.succeed(waiting, undefined), gateway.await(ref))
        }),
        scope
      )
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(wait, {})), ScriptedModel.text("done"))
      const ref = yield* begin("go")
      yield* seen(ref, "call.started")
      const { until } = yield* listen(port, `/v1/sessions/${ref.sessionId}/events`)
      yield* until(is("synced"))
      const ending = yield* Effect.fork(request("GET", `/v1/runs/${ref.runId}/end`))
      yield* Deferred.await(waiting)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      expect(yield* until(() => false)).toEqual([{ id: "", event: "closing", data: '{"retryMillis":1000}' }])
      const refused = yield* ending
      expect([refused.status, refused.headers["retry-after"], refused.json()]).toMatchObject([
        503,
        "1",
        { _tag: "Stopping" }
      ])
      yield* closing
      expect(yield* gateway.run(ref.runId)).toMatchObject({ state: "running" })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* gateway.await(ref)).toMatchObject({ stopReason: "completed" })
    })
  )

  it.scoped("P10 cost a session nothing once their clients are gone", () =>
    Effect.gen(function* () {
      const { gateway, model, port, send, session } = yield* served()
      const { id } = yield* session()
      yield* Effect.scoped(
        Effect.flatMap(listen(port, `/v1/sessions/${id}/events?deltas=1`), ({ until }) => until(is("synced")))
      )
      yield* model.play(ScriptedModel.text("hello"))
      expect(yield* gateway.await(yield* send(Session.Id.make(id), "hi"))).toMatchObject({ stopReason: "completed" })
    })
  )
})
