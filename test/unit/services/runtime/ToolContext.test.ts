import { SqlClient } from "@effect/sql"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Context, Effect, Option, Schema, Stream, TestClock, type Tracer } from "effect"
import { Gateway, Message, Run, Session, SessionEvent, SkeinError, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate, Quiescence } from "skein/testing"
import { open, readingOf } from "./fixture.js"

class Secret extends Context.Tag("test/Secret")<Secret, string>() {}

/** What a host's transaction leaves in the context of everything that runs inside it. */
const transaction: Context.Tag.Service<typeof SqlClient.TransactionConnection> = [
  {
    execute: () => Effect.dieMessage("not ours"),
    executeRaw: () => Effect.dieMessage("not ours"),
    executeStream: () => Stream.dieMessage("not ours"),
    executeValues: () => Effect.dieMessage("not ours"),
    executeUnprepared: () => Effect.dieMessage("not ours")
  },
  1
]

const isWithin = (span: Tracer.AnySpan, name: string): boolean =>
  span._tag === "Span" && (span.name === name || Option.exists(span.parent, (parent) => isWithin(parent, name)))

const owner = Session.Owner.make("ann")

/** A run of one call, to its end. */
const once = Effect.fnUntraced(function* <Name extends string>(
  tool: Tool.Tool<Name, never, unknown, unknown, never>,
  metadata = {}
) {
  const engine = yield* open({ tools: [tool] })
  yield* engine.model.play(ScriptedModel.calls({ name: tool.name, input: {} }), ScriptedModel.text("done"))
  const session = yield* engine.session({ owner, workdir: "/home/ann" })
  const run = yield* engine.send(session.id, "go", { metadata })
  yield* engine.gateway.await(run)
  return { ...engine, run, line: (yield* engine.lines(run.sessionId))[2] }
})

describe("a tool", () => {
  it.scoped("knows its call, the owner, the folder and the metadata of the run", () =>
    Effect.gen(function* () {
      const calls: Array<Context.Tag.Service<typeof Tool.Call>> = []
      const look = Tool.make("look", { description: "looks", input: {} }).handle(() =>
        Effect.map(Tool.Call, (call) => calls.push(call))
      )
      const { run, transcript } = yield* once(look, { user: "ann", roles: ["admin"] })
      const [part] = (yield* transcript(run.sessionId)).flatMap(({ message }) =>
        message.role === "assistant" ? message.parts : []
      )
      expect(calls).toMatchObject([
        {
          sessionId: run.sessionId,
          runId: run.runId,
          callId: part !== undefined && "callId" in part ? part.callId : "",
          owner: owner,
          workdir: "/home/ann",
          metadata: { user: "ann", roles: ["admin"] }
        }
      ])
    })
  )

  const whoAmI = Tool.make("who", { description: "who", input: {} }).handle(() =>
    Effect.map(Tool.metadata(Schema.Struct({ user: Schema.String })), ({ user }) => user)
  )

  it.scoped("reads the run's metadata by a schema", () =>
    Effect.gen(function* () {
      expect((yield* once(whoAmI, { user: "ann" })).line).toBe("who success: ann")
    })
  )

  it.scoped("fails, and the model learns why, when the host gave other metadata", () =>
    Effect.gen(function* () {
      expect((yield* once(whoAmI, { user: 7 })).line).toMatch(/^who failure: The tool failed: [^]*user/)
    })
  )

  it.scoped("reports its progress; watchers see it before the call ends, late watchers see the newest", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const slow = Tool.make("slow", { description: "slow", input: {} }).handle(() =>
        Effect.gen(function* () {
          yield* Tool.progress("10%")
          yield* gate.pass("half")
          yield* Tool.progress("50%")
          yield* Tool.progress("60%")
          yield* gate.pass("end")
          yield* Tool.progress("99%")
        })
      )
      const { begin, gateway, model, seen } = yield* open({ tools: [slow] })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(slow, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      const watcher = yield* gateway.events({ sessionId: run.sessionId, after: run.cursor }).pipe(
        Stream.takeUntil(SessionEvent.is("run.ended")),
        Stream.filterMap((event) =>
          event.type === "call.progress"
            ? Option.some(event.text)
            : event.type.startsWith("call.") && event.type !== "call.arguments"
              ? Option.some(event.type)
              : Option.none()
        ),
        Stream.runCollect,
        Effect.fork
      )
      expect((yield* seen(run, "call.progress")).text).toBe("10%")
      yield* Quiescence.idle
      yield* gate.open("half")
      yield* gate.reached("end")
      yield* Quiescence.idle
      expect((yield* seen(run, "call.progress")).text).toBe("60%")
      yield* gate.open("end")
      expect(Chunk.toReadonlyArray(yield* watcher)).toEqual(["call.started", "10%", "60%", "99%", "call.finished"])
    })
  )
})

describe("a run belongs to the engine and not to the sender of the message", () => {
  const connection = SqlClient.TransactionConnection
  const spy = Effect.gen(function* () {
    const found: Array<unknown> = []
    const look = Tool.make("look", { description: "looks", input: {} }).handle(() =>
      Effect.gen(function* () {
        found.push(yield* Effect.serviceOption(connection))
        found.push(yield* Effect.serviceOption(Secret))
        const span = yield* Effect.option(Effect.currentSpan)
        found.push(Option.exists(span, (span) => isWithin(span, "sender")))
      })
    )
    const engine = yield* open({ tools: [look] })
    yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call(look, {})), ScriptedModel.text("done"))
    return { ...engine, found, session: yield* engine.session() }
  })

  it.scoped("its tools see neither the sender's transaction, nor its services, nor its span", () =>
    Effect.gen(function* () {
      const { found, gateway, send, session } = yield* spy
      const run = yield* send(session.id, "go").pipe(
        Effect.provideService(connection, transaction),
        Effect.provideService(Secret, "secret"),
        Effect.withSpan("sender")
      )
      yield* gateway.await(run)
      expect(found).toEqual([Option.none(), Option.none(), false])
    })
  )

  it.scoped("it goes on when the fiber that sent the message is gone", () =>
    Effect.gen(function* () {
      const { found, gateway, send, session } = yield* spy
      const run = yield* Effect.flatten(Effect.fork(send(session.id, "go")))
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect(found).toHaveLength(3)
    })
  )

  it.scoped("waiting for it inside a SQL transaction is refused at once", () =>
    Effect.gen(function* () {
      const { context, gateway, send, session } = yield* spy
      const run = yield* send(session.id, "go")
      const refused = new SkeinError.AwaitInTransaction({ runId: run.runId })
      const inside = Effect.provideService(connection, transaction)
      expect(yield* Run.await(run).pipe(inside, Effect.flip, Effect.provide(context))).toEqual(refused)
      expect(yield* Run.answer(run).pipe(inside, Effect.flip, Effect.provide(context))).toEqual(refused)
      expect(yield* gateway.await(run).pipe(inside, Effect.flip)).toEqual(refused)
      expect((yield* Effect.provide(Run.await(run), context)).stopReason).toBe("completed")
    })
  )

  it.scoped("a tool that waits for its own run is refused at once, and may wait for others", () =>
    Effect.gen(function* () {
      const gate = yield* Gate.make
      const awaited: Array<Effect.Effect<unknown, unknown>> = []
      const wait = Tool.make("wait", { description: "waits", input: { nth: Schema.Number } }).handle(({ nth }) =>
        Effect.asVoid(
          Effect.zipRight(
            gate.pass("awaited"),
            Effect.suspend(() => awaited[nth] ?? Effect.die("none"))
          )
        )
      )
      const engine = yield* open({ tools: [wait] })
      const { begin, context, gateway, lines, model, send, session } = engine
      yield* model.play(ScriptedModel.text("elsewhere"), ScriptedModel.text("before"))
      const elsewhere = yield* begin("one")
      yield* gateway.await(elsewhere)
      const { id } = yield* session()
      const before = yield* send(id, "two")
      yield* gateway.await(before)
      yield* model.play(
        ScriptedModel.calls(...[0, 1, 2].map((nth) => ScriptedModel.call(wait, { nth }))),
        ScriptedModel.text("done")
      )
      const run = yield* send(id, "go")
      awaited.push(...[elsewhere, before, run].map((ref) => Effect.provide(Run.await(ref), context)))
      yield* gate.open("awaited")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect((yield* lines(id)).slice(4, 7)).toEqual([
        "wait success: ",
        "wait success: ",
        `wait failure: The tool failed: Run ${run.runId} cannot be awaited by a tool of its own session ${id}`
      ])
    })
  )

  it.scoped("Run.settle is refused in a transaction or a tool of the session before it sends anything", () =>
    Effect.gen(function* () {
      const inTool: Array<Effect.Effect<unknown, unknown>> = []
      const settle = Tool.make("settle", { description: "settles", input: {} }).handle(() =>
        Effect.asVoid(Effect.suspend(() => inTool[0] ?? Effect.die("none")))
      )
      const { context, gateway, lines, model, send, session } = yield* open({ tools: [settle] })
      const { id } = yield* session()
      const settled = Effect.provide(Run.settle({ sessionId: id, text: "more", idempotencyKey: "k" }), context)
      const inside = settled.pipe(Effect.provideService(connection, transaction), Effect.flip)
      expect(yield* inside).toEqual(new SkeinError.AwaitInTransaction({ runId: null }))
      inTool.push(settled)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(settle, {})), ScriptedModel.text("done"))
      const run = yield* send(id, "go")
      yield* gateway.await(run)
      expect(yield* lines(id)).toEqual([
        "user: go",
        "assistant: (settle)",
        `settle failure: The tool failed: Run ${run.runId} cannot be awaited by a tool of its own session ${id}`,
        "assistant: done"
      ])
      expect((yield* gateway.snapshot(id)).queued).toEqual([])
    })
  )

  it.scoped("its answer can be read even if its events have aged out", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session } = yield* open({ config: { eventsKept: 1 } })
      yield* model.play(ScriptedModel.text("first"), ScriptedModel.text("second"))
      const { id } = yield* session()
      yield* gateway.append(
        id,
        Array.from({ length: 1_000 }, () => Message.userText("before"))
      )
      const run = yield* send(id, "one")
      yield* gateway.await(run)
      yield* gateway.await(yield* send(run.sessionId, "two"))
      yield* TestClock.adjust("3 hours")
      yield* Stream.runDrain(gateway.events({ sessionId: run.sessionId, after: run.cursor })).pipe(
        Effect.flip,
        Effect.map(({ _tag }) => expect(_tag).toBe("CursorGone"))
      )
      const { counted, read } = readingOf(gateway)
      expect(yield* Effect.provideService(Run.answer(run), Gateway.Gateway, counted)).toBe("first")
      expect(read()).toBeLessThan(100)
    })
  )
})
