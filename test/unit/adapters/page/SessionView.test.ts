/**
 * The page's view of a session: loaded from snapshot, timeline and transcript, it is the same as if built from the
 * events one by one, at whichever event it was loaded.
 */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Schema, Stream } from "effect"
import { Gateway, Permissions, Session, SessionEvent, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import * as SessionView from "../../../../src/adapters/page/model/SessionView.js"
import type { Event } from "../../../../src/adapters/page/model/Wire.js"
import { open } from "../../services/runtime/fixture.js"

const shell = Tool.make("shell", { description: "runs", kind: "execute", input: { command: Schema.String } }).handle(
  ({ command }) => (command === "bad" ? Effect.fail(new Error("broke")) : Effect.succeed(command)),
  { title: ({ command }) => command }
)

const read = Tool.make("read", { description: "reads", access: "read", input: { path: Schema.String } }).handle(
  ({ path }) => Effect.succeed(path)
)

const wire = Schema.encodeSync(SessionEvent.SessionEvent)

const encode = <A, I>(schema: Schema.Schema<A, I>) => Schema.encodeSync(schema)
const { snapshot: Snapshot, timeline: Timeline, transcript: Transcript, runs: Runs } = Gateway.operations

/** The parts that are the same however the view came about; text that is still being written is left out. */
const comparable = ({ cursor, ended, entries, questions, queued, run, session, steps }: SessionView.SessionView) => ({
  cursor,
  ended,
  entries: entries.filter((entry) => entry !== undefined),
  questions: questions.map(({ id }) => id),
  queued: queued.map(({ id }) => id),
  run: run?.id ?? null,
  head: session.head,
  usage: session.usage,
  steps: steps.map(({ calls, startedAt: _, ...step }) => ({
    ...step,
    calls: calls.map(({ wasAsked: _, ...call }) => call)
  }))
})

describe("the view of a session", () => {
  it.scopedLive("is the same built from events as when loaded, at any moment", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, seen } = yield* open({ tools: [shell, read], policy: Permissions.askToWrite })
      yield* model.play(
        {
          text: "look",
          calls: [
            ScriptedModel.call(read, { path: "a" }),
            ScriptedModel.call(shell, { command: "ls" }),
            ScriptedModel.call(shell, { command: "bad" }),
            { name: "unknown", input: "{}" }
          ],
          usage: { inputTokens: 3 }
        },
        { text: "done", usage: { inputTokens: 4, outputTokens: 2 } }
      )
      const load = (id: Session.Id) =>
        Effect.gen(function* () {
          const snapshot = yield* gateway.snapshot(id)
          const rows = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.timeline({ sessionId: id })))
          const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.transcript({ sessionId: id })))
          return SessionView.load(
            encode(Snapshot.success)(snapshot),
            rows.map((row) => encode(Timeline.success)(row)),
            entries.map((entry) => encode(Transcript.success)(entry)),
            encode(Runs.success)(yield* gateway.runs({ sessionId: id }))
          )
        })
      const ref = yield* begin("go")
      const id = ref.sessionId
      const queued = yield* gateway.send({ sessionId: id, text: "later", whenBusy: "queue" })
      yield* gateway.cancel(queued.runId)
      const views = [yield* load(id)]
      for (const verdict of ["allow-once", "deny"] as const) {
        const asked = yield* seen(ref, "permission.asked", verdict === "deny" ? 2 : 1)
        views.push(yield* load(id))
        yield* gateway.answer({ questionId: asked.questionId, verdict })
      }
      yield* gateway.await(ref)
      yield* gateway.patch({ sessionId: id, title: "New", model: { provider: "p", model: "m" } })
      views.push(yield* load(id))
      const { cursor } = yield* gateway.session(id)
      const events = yield* gateway.events({ sessionId: id, after: Session.Cursor.make(0), entries: true }).pipe(
        Stream.map(wire),
        Stream.takeUntil((event) => "cursor" in event && event.cursor >= cursor),
        Stream.runCollect,
        Effect.map(Chunk.toReadonlyArray)
      )
      const blank = SessionView.load(
        {
          session: {
            ...encode(Snapshot.success)(yield* gateway.snapshot(id)).session,
            head: 0,
            cursor: 0,
            usage: zero
          },
          cursor: 0,
          oldest: 0,
          run: null,
          queued: [],
          batch: { calls: [], stored: [] },
          questions: [],
          live: null
        },
        [],
        []
      )
      const last = views.at(-1)
      const all = events.reduce(SessionView.fold, blank)
      expect(last === undefined ? null : comparable(last)).toEqual(comparable(all))
      // Wherever the view was loaded, the events that follow lead to the same view; those before it change nothing.
      for (const view of views) expect(comparable(events.reduce(SessionView.fold, view))).toEqual(comparable(all))
      expect(all.steps.map(({ calls }) => calls.map(({ name, outcome }) => `${name} ${outcome}`))).toEqual([
        ["read success", "shell success", "shell denied", "unknown unknown-tool"],
        []
      ])
      expect(SessionView.activityOf(all)).toBe("idle")
    })
  )

  it.scopedLive("has a step's text as it is written, restarts it with the step, and drops it once it is stored", () =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { id } = yield* session()
      const first = SessionView.load(encode(Snapshot.success)(yield* gateway.snapshot(id)), [], [])
      const delta = (type: "text.delta" | "reasoning.delta", offset: number, text: string): Event => ({
        type,
        sessionId: id,
        after: 1,
        runId: "r",
        seq: 2,
        offset,
        text
      })
      const written = [delta("reasoning.delta", 0, "hm"), delta("text.delta", 0, "Hel"), delta("text.delta", 3, "lo")]
      const view = written.reduce(SessionView.fold, first)
      expect(view.live).toMatchObject({ reasoning: "hm", text: "Hello", seq: 2 })
      // A client that comes back receives all of the text, from its beginning.
      expect(SessionView.fold(view, delta("text.delta", 0, "Hello you")).live?.text).toBe("Hello you")
      const retrying: Event = {
        type: "run.retrying",
        sessionId: id,
        after: 1,
        runId: "r",
        attempt: 2,
        delayMillis: 10,
        reason: "overloaded"
      }
      expect(SessionView.fold(view, retrying).live).toMatchObject({ text: "", retry: { attempt: 2 } })
      const appended: Event = {
        type: "message.appended",
        sessionId: id,
        cursor: view.cursor + 1,
        at: 5,
        actor: null,
        runId: "r",
        seq: 2,
        role: "assistant"
      }
      const stored = SessionView.fold(view, appended)
      expect(stored.live).toBe(null)
      expect(SessionView.fold(stored, delta("text.delta", 0, "late")).live).toBe(null)
    })
  )
})

const zero = {
  steps: 0,
  unknownSteps: 0,
  inputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  cachedInputTokens: 0,
  costMicroUsd: 0
}
