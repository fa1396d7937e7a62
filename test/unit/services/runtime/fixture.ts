/** Shared by the tests of runs: an engine in memory, and short ways to send, to wait, and to check the results. */
import { Chunk, Context, Effect, Layer, Option, Stream } from "effect"
import {
  type EngineConfig,
  Gateway,
  Message,
  type Model,
  Permissions,
  type Run,
  Session,
  SessionEvent,
  type Tool
} from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { SkeinTest } from "skein/testing"

/** A tool that requires nothing. */
export type AnyTool = Tool.Tool<string, never, unknown, unknown, never>

/** The parts of its agent that a test chooses. */
export interface AgentParts {
  readonly tools?: ReadonlyArray<AnyTool>
  readonly policy?: Permissions.Policy
  readonly system?: string
  readonly stepLimit?: number
  readonly offered?: ReadonlyArray<Model.OfferedModel>
}

export const partsOf = ({ offered, policy = Permissions.allowAll, stepLimit, system, tools = [] }: AgentParts) => ({
  offered,
  policy,
  stepLimit,
  system,
  tools
})

export interface Settings extends AgentParts {
  readonly config?: EngineConfig.Options
}

/**
 * An engine of the test's own that lives as long as the test's scope; everything is allowed unless the test says
 * otherwise.
 */
export const open = ({ config, ...agent }: Settings = {}) =>
  Effect.map(Layer.build(SkeinTest.layer(partsOf(agent), config)), (context) => ({
    context,
    model: Context.get(context, ScriptedModel.ScriptedModel),
    ...of(Context.get(context, Gateway.Gateway))
  }))

/** What tests do with a gateway. */
export const of = (gateway: Gateway.Service) => {
  const session = (fields: Partial<Gateway.Create> = {}) => gateway.create({ workdir: "/", ...fields })
  const send = (sessionId: Session.Id, text: string, fields: Partial<Gateway.Send> = {}) =>
    gateway.send({ sessionId, text, ...fields })
  const transcript = (sessionId: Session.Id) =>
    Effect.map(Stream.runCollect(gateway.transcript({ sessionId })), Chunk.toReadonlyArray)
  return {
    gateway,
    session,
    send,
    transcript,
    /** A new session, and a run in it. */
    begin: (text: string, fields: Partial<Gateway.Send> = {}) =>
      Effect.flatMap(session(), ({ id }) => send(id, text, fields)),
    /** The first event of a type after the ref's cursor; if it is about a run, about this run. */
    seen: <T extends SessionEvent.Type>(ref: Run.Ref, type: T, nth = 1) =>
      gateway.events({ sessionId: ref.sessionId, after: ref.cursor }).pipe(
        Stream.filter(SessionEvent.is(type)),
        Stream.filter((event) => !("runId" in event) || event.runId === ref.runId),
        Stream.drop(nth - 1),
        Stream.runHead,
        Effect.flatMap(Option.match({ onNone: () => Effect.dieMessage(`no ${type}`), onSome: Effect.succeed }))
      ),
    /** The durable events up to now, as lines. */
    told: (sessionId: Session.Id, after = 0) =>
      Effect.flatMap(gateway.session(sessionId), ({ cursor }) =>
        gateway.events({ sessionId, after: Session.Cursor.make(after) }).pipe(
          Stream.filter(SessionEvent.isDurable),
          Stream.takeUntil((event) => event.cursor >= cursor),
          Stream.runCollect,
          Effect.map((events) => Chunk.toReadonlyArray(events).map(toldAs))
        )
      ),
    /** The transcript, as lines. */
    lines: (sessionId: Session.Id) => Effect.map(transcript(sessionId), (entries) => entries.map(lineOf))
  }
}
export type Opened = ReturnType<typeof of>

/** A gateway that counts the entries of transcripts that are read. */
export const readingOf = (gateway: Gateway.Service) => {
  let count = 0
  const counted: Gateway.Service = {
    ...gateway,
    transcript: (range) => Stream.tap(gateway.transcript(range), () => Effect.sync(() => count++))
  }
  return { counted, read: () => count }
}

const lineOf = ({ message }: Message.Entry): string => {
  if (message.role === "tool") return `${message.name} ${message.outcome}: ${message.text}`
  if (message.role === "other") return `${message.role} ${message.unknownRole}`
  const parts = message.parts.map((part) => {
    if (Message.isCall(part)) return `(${part.name})`
    return "text" in part ? String(part.text) : `[${part.type}]`
  })
  return `${message.role}: ${parts.join("")}${message.role === "assistant" && message.partial ? " …" : ""}`
}

const toldAs = (event: SessionEvent.Durable): string => {
  switch (event.type) {
    case "message.appended":
      return `${event.type} ${event.role}`
    case "call.started":
      return `${event.type} ${event.name}`
    case "call.finished":
      return `${event.type} ${event.name} ${event.outcome}`
    case "permission.asked":
      return `${event.type} ${event.tool}`
    case "permission.answered":
      return `${event.type} ${event.verdict}`
    case "run.ended":
      return `${event.type} ${event.stopReason}`
    case "session.created":
    case "session.renamed":
    case "session.model":
    case "session.agent":
    case "session.moved":
    case "session.deleted":
    case "run.queued":
    case "run.started":
    case "run.released":
    case "asset.saved":
    case "asset.deleted":
    case "other":
      return event.type
  }
}
