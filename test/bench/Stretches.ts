/**
 * How long each kind of work holds the event loop at a large size, once its code is warm: the longest time by which a
 * timer of one millisecond was late.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Layer, Schema, Stream } from "effect"
import * as SkeinNode from "../../src/adapters/node/SkeinNode.js"
import { Agents, Gateway, Message, Model, Permissions, Run, Session, SessionEvent, Tool } from "../../src/index.js"
import { WorkspaceTools } from "../../src/node.js"
import type * as Script from "../../src/domain/Script.js"
import * as ScriptedModel from "../../src/services/ScriptedModel.js"
import * as InFolder from "./InFolder.js"
import * as Measure from "./Measure.js"
import type { Row } from "./Row.js"

const text = "The quick brown fox jumps over the lazy dog. ".repeat(22)
const mebi = 1024 * 1024

const noop = Tool.make("noop", { description: "Does nothing", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.succeed("done")
)
const endless = Tool.make("endless", { description: "Never ends", access: "read", input: { n: Schema.Number } }).handle(
  () => Effect.never
)

type Services = Gateway.Gateway | ScriptedModel.ScriptedModel

const models = Effect.map(ScriptedModel.models, ({ resolve }) => ({
  resolve: (session: Session.Session) =>
    Effect.map(resolve(session), (model): Model.Model => ({ ...model, contextTokens: 1_000_000 }))
}))

const withEngine = <A>(use: (run: InFolder.Run<Services>, folder: string) => Promise<A>) =>
  InFolder.inFolder(
    (folder) =>
      SkeinNode.layer({ data: join(folder, "data") }).pipe(
        Layer.provide(
          Agents.layer({ models, tools: [noop, endless, ...WorkspaceTools.readOnly], policy: Permissions.allowAll })
        ),
        Layer.provideMerge(ScriptedModel.layer)
      ),
    use
  )

/** Work whose stretch is measured. It is prepared again before each round. */
interface Case {
  readonly name: string
  readonly prepared: Effect.Effect<Effect.Effect<unknown, unknown, Services>, unknown, Services>
}

const measured = <A, E1, E2>(
  name: string,
  before: Effect.Effect<A, E1, Services>,
  work: (there: A) => Effect.Effect<unknown, E2, Services>
): Case => ({ name, prepared: Effect.map(before, work) })

const newSession = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  return yield* gateway.create({ workdir: "/" })
})

/** A session with `count` messages of `characters` characters each. */
const filled = (count: number, characters: number) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const session = yield* newSession
    const portion = Math.max(1, Math.min(200, Math.floor(mebi / characters)))
    const content = text.repeat(Math.ceil(characters / text.length)).slice(0, characters)
    for (let n = 0; n < count; n += portion) {
      yield* gateway.append(
        session.id,
        Array.from({ length: Math.min(portion, count - n) }, () => Message.userText(content))
      )
    }
    return session.id
  })

const once = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.runSync(Effect.cached(effect))

const send = (sessionId: Session.SessionId, message = "go") =>
  Effect.flatMap(Gateway.Gateway, (gateway) => gateway.send({ sessionId, text: message }))

const play = (...steps: ReadonlyArray<Script.Step>) =>
  Effect.flatMap(ScriptedModel.ScriptedModel, (model) => model.play(...steps))

const callsOf = (tool: typeof noop | typeof endless, count: number) =>
  ScriptedModel.calls(...Array.from({ length: count }, (_, n) => ScriptedModel.call(tool, { n })))

const turn = (calls: number) =>
  Effect.gen(function* () {
    yield* play(callsOf(noop, calls), ScriptedModel.text("done"))
    const { id } = yield* newSession
    yield* Run.await(yield* send(id))
  })

const started = (events: Stream.Stream<SessionEvent.SessionEvent, unknown>, count: number) =>
  events.pipe(Stream.filter(SessionEvent.is("call.started")), Stream.take(count), Stream.runDrain)

/** A turn whose calls have all started and do not end. */
const running = (calls: number) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    yield* play(callsOf(endless, calls))
    const { id } = yield* newSession
    const ref = yield* send(id)
    yield* started(gateway.events({ sessionId: id }), calls)
    return ref
  })

const replay = (sessionId: Session.SessionId) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const { cursor } = yield* gateway.session(sessionId)
    yield* gateway.events({ sessionId }).pipe(
      Stream.takeUntil((event) => SessionEvent.isDurable(event) && event.cursor >= cursor),
      Stream.runForEach((event) => Effect.sync(() => SessionEvent.toJson(event)))
    )
  })

const transcript = (sessionId: Session.SessionId) =>
  Effect.flatMap(Gateway.Gateway, (gateway) => Stream.runDrain(gateway.transcript({ sessionId })))

/** A turn in which the model calls a tool on a folder. */
const toolTurn = (folder: string, name: string, input: object) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    yield* play(ScriptedModel.calls({ name, input: JSON.stringify(input) }), ScriptedModel.text("done"))
    const { id } = yield* gateway.create({ workdir: folder })
    yield* Run.await(yield* send(id))
  })

const many = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), () => effect, { concurrency: "unbounded", discard: true })

/** A transcript from another program: a question, many calls in one message, their results. */
const batchFromElsewhere = (count: number): ReadonlyArray<Gateway.ForeignMessage> => {
  const ids = Array.from({ length: count }, (_, n) => `elsewhere ${n}`)
  return [
    Message.userText("go"),
    {
      role: "assistant",
      parts: ids.map((callId) => ({ type: "call", callId, name: "noop", input: "{}" })),
      model: { provider: "bench", model: "bench" },
      finish: "tool-calls",
      usage: { inputTokens: 1, outputTokens: 1, reasoningTokens: null, cachedInputTokens: null }
    },
    ...ids.map((callId) => ({ role: "tool", callId, name: "noop", outcome: "success", text: "done" }) as const)
  ]
}

const metadata = Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`field-${n}`, "x".repeat(80)]))

/** A folder with 100,000 files. */
const namesIn = (folder: string): string => {
  mkdirSync(folder)
  for (let n = 0; n < 100_000; n++) writeFileSync(join(folder, `name-${String(n).padStart(6, "0")}.txt`), "")
  return folder
}

const cases = (folder: string): ReadonlyArray<Case> => {
  const short = once(filled(40_000, 1_000))
  const replayed = once(
    Effect.gen(function* () {
      yield* play(
        ...Array.from({ length: 160 }, (_, step) =>
          ScriptedModel.calls(...Array.from({ length: 10 }, (_, n) => ScriptedModel.call(noop, { n: step * 10 + n })))
        ),
        ScriptedModel.text("done")
      )
      const { id } = yield* newSession
      yield* Run.await(yield* send(id))
      return id
    })
  )
  const large = once(filled(40, 4 * mebi - 1_000))
  const middle = once(filled(200, 500_000))
  const sessions = once(
    Effect.flatMap(Gateway.Gateway, (gateway) =>
      Effect.replicateEffect(gateway.create({ workdir: "/", metadata }), 600).pipe(Effect.asVoid)
    )
  )
  const appenders = once(Effect.replicateEffect(newSession, 256))
  const huge = text.repeat(4_200)
  const names = once(Effect.sync(() => namesIn(join(folder, "names"))))
  const withGateway = <A, E>(use: (gateway: Gateway.Service) => Effect.Effect<A, E, Services>) =>
    Effect.flatMap(Gateway.Gateway, use)
  const deletion = (id: Session.SessionId) => withGateway((gateway) => gateway.delete(id))
  const answered = (id: Session.SessionId) => Effect.flatMap(send(id), Run.await)
  const before = <A, E>(session: Effect.Effect<A, E, Services>) =>
    Effect.zipRight(play(ScriptedModel.text("done")), session)
  const nothing = Effect.void
  return [
    measured("10 appends in each of 256 sessions at once", appenders, (all) =>
      withGateway((gateway) =>
        Effect.forEach(all, ({ id }) => Effect.replicateEffect(gateway.append(id, [Message.userText(text)]), 10), {
          concurrency: "unbounded"
        })
      )
    ),
    measured("an append of 1,000 messages", newSession, ({ id }) =>
      withGateway((gateway) =>
        gateway.append(
          id,
          Array.from({ length: 1_000 }, () => Message.userText(text))
        )
      )
    ),
    measured("an append of 15,000 short messages with a key", newSession, ({ id }) =>
      withGateway((gateway) =>
        gateway.append(
          id,
          Array.from({ length: 15_000 }, () => Message.userText("hello")),
          "key"
        )
      )
    ),
    measured("an append of a batch of 10,000 calls from elsewhere", newSession, ({ id }) =>
      withGateway((gateway) => gateway.append(id, batchFromElsewhere(10_000)))
    ),
    measured("an append of 4 MB", newSession, ({ id }) =>
      withGateway((gateway) => gateway.append(id, [Message.userText(huge)]))
    ),
    measured("an append of 4 MB with a key", newSession, ({ id }) =>
      withGateway((gateway) => gateway.append(id, [Message.userText(huge)], "key"))
    ),
    measured("4 MB sent with a key", before(newSession), ({ id }) =>
      withGateway((gateway) =>
        Effect.flatMap(
          gateway.send({ sessionId: id, text: huge, idempotencyKey: Run.IdempotencyKey.make("key") }),
          Run.await
        )
      )
    ),
    measured("a turn with 1,000 calls", nothing, () => turn(1_000)),
    measured("10 turns with 100 calls", nothing, () => many(10, turn(100))),
    measured("a run with 1,000 calls is cancelled", running(1_000), ({ runId }) =>
      withGateway((gateway) => gateway.cancel(runId))
    ),
    measured("a snapshot with 1,000 open calls", running(1_000), ({ sessionId }) =>
      withGateway((gateway) => gateway.snapshot(sessionId))
    ),
    measured("a turn after 40,000 messages, window 1,000,000 tokens", before(short), answered),
    measured("a turn after 200 messages of 500 KB", before(middle), answered),
    measured("a transcript of 40,000 messages", short, transcript),
    measured("a transcript of 40 messages of 4 MB", large, transcript),
    measured("a transcript of 200 messages of 500 KB", middle, transcript),
    measured("a replay of 40,000 events", short, replay),
    measured("a replay of a turn's 5,000 events", replayed, replay),
    measured("20 replays of a turn's 5,000 events", replayed, (id) => many(20, replay(id))),
    measured("a page of 500 sessions, metadata of 50 KB", sessions, () =>
      withGateway((gateway) => gateway.sessions({ limit: 500 }))
    ),
    measured("40,000 messages are deleted", filled(40_000, 1_000), deletion),
    measured("20 messages of 4 MB are deleted", filled(20, 4 * mebi - 1_000), deletion),
    measured("glob over 100,000 names", names, (folder) => toolTurn(folder, "glob", { pattern: "*7.txt" })),
    measured("grep over 100,000 files", names, (folder) =>
      toolTurn(folder, "grep", { pattern: "fox", include: "name-000*" })
    ),
    measured("list of 100,000 names", names, (folder) => toolTurn(folder, "list", { path: "." }))
  ]
}

const rounds = 8

/** The longest stretch of the first round, and of the rounds after it: their median and their maximum. */
const row = (place: number) => (): Promise<Row> =>
  withEngine(async (run, folder) => {
    const one = cases(folder)[place]
    if (one === undefined) throw new Error(`there is no case ${place}`)
    const stretches: Array<number> = []
    for (let round = 0; round <= rounds; round++) {
      const work = await run(one.prepared)
      stretches.push((await Measure.longestStretch(() => run(work))).stretch)
    }
    const [first = 0, ...warm] = stretches
    const numbers = { first, median: Measure.median(warm), most: Math.max(...warm) }
    return {
      name: `longest stretch: ${one.name}`,
      value: `median ${numbers.median.toFixed(0)}, most ${numbers.most.toFixed(0)} ms (the first ${first.toFixed(0)} ms)`,
      aim: "20 ms",
      numbers
    }
  })

export const rows: ReadonlyArray<() => Promise<Row>> = cases("").map((_, place) => row(place))
