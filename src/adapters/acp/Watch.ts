/**
 * What an editor is told about one session, whoever works in it: one watch for as long as the session is open. A prompt
 * only sends a message. What follows is told here, and the prompt ends when the watch has told its run's end.
 */
import type {
  AgentContext,
  ElicitationCapabilities,
  SessionConfigOption,
  SessionUpdate
} from "@agentclientprotocol/sdk"
import { Deferred, Effect, HashMap, Option, type Scope, Stream } from "effect"
import type { CallId, Entry } from "../../domain/Message.js"
import type { Ref, RunId } from "../../domain/Run.js"
import { Cursor, Seq, type SessionId } from "../../domain/Session.js"
import type { OfType, SessionEvent } from "../../domain/SessionEvent.js"
import type { Service } from "../../services/gateway/Gateway.js"
import * as OneByOne from "../../services/OneByOne.js"
import * as RunTelling from "../http/protocols/RunTelling.js"
import type { Command } from "../mcp/Mcp.js"
import * as Questions from "./Questions.js"
import * as SlashCommands from "./SlashCommands.js"
import * as Updates from "./Updates.js"

export interface Watch {
  /** The run of the current prompt; null without one. Waits for a prompt that is being sent. */
  readonly prompted: Effect.Effect<RunId | null>
  /** Cancels a run of the session. */
  readonly cancel: (runId: RunId) => ReturnType<Service["cancel"]>
  /** Shows the editor's terminal in which a call runs, in place of the call's output. */
  readonly showTerminal: (callId: CallId, terminalId: string) => Effect.Effect<void>
  /** Tells which slash commands there are, including those of servers. */
  readonly tellCommands: (prompts: ReadonlyArray<Command>) => Effect.Effect<void>
  /** Tells how full the context was at the newest step. */
  readonly tellLastUsage: Effect.Effect<void>
  /** Sends a prompt and waits for its run's end. */
  readonly follow: <E>(send: Effect.Effect<Ref, E>) => Effect.Effect<OfType<"run.ended">, E>
}

interface Options {
  readonly gateway: Service
  readonly client: AgentContext
  readonly sessionId: SessionId
  readonly withHistory: boolean
  /** What can be chosen for the session, and what is chosen. */
  readonly configOptions: Effect.Effect<Array<SessionConfigOption>, unknown>
  /** Tokens that its model's context holds; null when that is unknown. */
  readonly contextTokens: Effect.Effect<number | null, unknown>
  /** Which inquiries of calls the editor can show. */
  readonly elicitation: () => ElicitationCapabilities | null | undefined
  /** Whether calls of this editor's prompts are all allowed. */
  readonly allowsAll: () => boolean
}

/** How many of the last entries are searched for the newest step. */
const lately = 64

/** Opens a watch that lasts as long as the scope. With the history, all of it is sent before this returns. */
export const open = ({
  allowsAll,
  client,
  configOptions,
  contextTokens,
  elicitation,
  gateway,
  sessionId,
  withHistory
}: Options): Effect.Effect<Watch, Effect.Effect.Error<ReturnType<Service["snapshot"]>> | Error, Scope.Scope> =>
  Effect.gen(function* () {
    const own = new Set<RunId>()
    const cancelled = new Set<RunId>()
    const snapshot = yield* gateway.snapshot(sessionId)
    const questions = yield* Questions.make({
      gateway,
      client,
      workdir: snapshot.session.workdir,
      elicitation,
      allowed: (runId) => own.has(runId) && allowsAll(),
      isCancelled: (runId) => cancelled.has(runId)
    })
    const holder = snapshot.run?.run ?? null
    const begin = withHistory && holder !== null ? holder.cursor : snapshot.cursor
    const caughtUp = yield* Deferred.make<void>()
    const ends = new Map<RunId, Deferred.Deferred<OfType<"run.ended">>>()
    const sending = OneByOne.make()
    const terminals = new Map<CallId, string>()
    let prompted: RunId | null = null
    let tellers = HashMap.empty<RunId, ReturnType<typeof RunTelling.make>>()

    const { workdir } = snapshot.session
    const shown = (update: SessionUpdate): SessionUpdate => {
      const seen = Updates.withTerminal(update, terminals)
      return seen.sessionUpdate === "tool_call_update" ? Updates.inFolder(seen, workdir) : seen
    }
    const tell = (update: SessionUpdate) =>
      Effect.promise(() => client.notify("session/update", { sessionId, update: shown(update) }))
    const showTerminal = (callId: CallId, terminalId: string) => {
      terminals.set(callId, terminalId)
      return tell({ sessionUpdate: "tool_call_update", toolCallId: callId, content: [] })
    }
    const tellAll = (updates: ReadonlyArray<SessionUpdate>) => Effect.forEach(updates, tell, { discard: true })

    const tellOptions = Effect.ignore(
      Effect.flatMap(configOptions, (configOptions) => tell({ sessionUpdate: "config_option_update", configOptions }))
    )

    /** Tells how full the context was at a step, and what the session has cost, as far as that is known. */
    const tellUsage = ({ message }: Entry) =>
      Effect.gen(function* () {
        if (message.role !== "assistant") return
        const { inputTokens, outputTokens } = message.usage
        const size = yield* contextTokens
        if (size === null || inputTokens === null) return
        const { usage } = yield* gateway.session(sessionId)
        yield* tell({
          sessionUpdate: "usage_update",
          used: inputTokens + (outputTokens ?? 0),
          size,
          ...(usage.costMicroUsd === 0 ? {} : { cost: { amount: usage.costMicroUsd / 1_000_000, currency: "USD" } })
        })
      }).pipe(Effect.ignore)

    const tellLastUsage = Effect.gen(function* () {
      const { head } = yield* gateway.session(sessionId)
      if (head === 0) return
      const from = Seq.make(Math.max(1, head - lately))
      const last = yield* Stream.runLast(
        Stream.filter(gateway.transcript({ sessionId, from }), ({ message }) => message.role === "assistant")
      )
      if (Option.isSome(last)) yield* tellUsage(last.value)
    }).pipe(Effect.ignore)

    const tellerOf = (runId: RunId) => {
      const known = HashMap.get(tellers, runId)
      if (Option.isSome(known)) return known.value
      const made = RunTelling.make(runId)
      tellers = HashMap.set(tellers, runId, made)
      return made
    }

    /** The editor is not told what it said itself. Which run is its own is known once the message is sent. */
    const tellUser = ({ entry, runId }: OfType<"message.appended">) =>
      sending(
        Effect.suspend(() =>
          entry === undefined || (runId !== null && own.has(runId)) ? Effect.void : tellAll(Updates.ofEntry(entry))
        )
      )

    const tellRun = (event: SessionEvent, runId: RunId) =>
      Effect.forEach(tellerOf(runId)(event), (told) => tellAll(Updates.of(told)), { discard: true })

    const endRun = (end: OfType<"run.ended">) =>
      sending(
        Effect.suspend(() => {
          tellers = HashMap.remove(tellers, end.runId)
          const waiting = ends.get(end.runId)
          return waiting === undefined ? Effect.void : Deferred.succeed(waiting, end)
        })
      )

    const onEvent = (event: SessionEvent): Effect.Effect<unknown> =>
      Effect.gen(function* () {
        if (event.type === "session.renamed") {
          yield* tell({ sessionUpdate: "session_info_update", title: event.title })
        } else if (event.type === "session.agent" && event.agent !== null) {
          yield* tell({ sessionUpdate: "current_mode_update", currentModeId: event.agent })
          yield* tellOptions
        } else if (event.type === "session.model" || event.type === "session.agent") {
          yield* tellOptions
        } else if (event.type === "call.started") {
          yield* tell(Updates.started(event.callId, event.display))
        } else if (event.type === "message.appended" && event.role === "user") {
          yield* tellUser(event)
        } else if ("runId" in event && event.runId !== null) {
          yield* tellRun(event, event.runId)
        }
        if (event.type === "message.appended" && event.entry !== undefined) yield* tellUsage(event.entry)
        if (event.type === "permission.asked") questions.ask(event.questionId)
        if (event.type === "permission.answered") questions.settle(event.questionId)
        if (event.type === "run.ended") yield* endRun(event)
        if ("cursor" in event && event.cursor >= snapshot.cursor) yield* Deferred.succeed(caughtUp, undefined)
      })

    if (withHistory) {
      const { head } = snapshot.session
      const entries = head === 0 ? Stream.empty : gateway.transcript({ sessionId, to: Seq.make(head) })
      yield* Stream.runForEach(entries, (entry) =>
        holder !== null && entry.runId === holder.id ? Effect.void : tellAll(Updates.ofEntry(entry))
      )
    }
    const events = yield* gateway
      .subscribe({ sessionId, entries: true, after: begin })
      .pipe(
        Effect.catchTag("CursorGone", ({ newest }) =>
          gateway.subscribe({ sessionId, entries: true, after: Cursor.make(newest) })
        )
      )
    /** Nobody is left waiting for an end that will not be told any more. */
    const over = Effect.zipRight(
      Deferred.succeed(caughtUp, undefined),
      Effect.suspend(() => Effect.forEach(ends.values(), Deferred.interrupt, { discard: true }))
    )
    yield* Effect.forkScoped(Effect.ensuring(Effect.ignore(Stream.runForEach(events, onEvent)), over))
    if (begin < snapshot.cursor) yield* Deferred.await(caughtUp)
    snapshot.questions.forEach(({ id }) => questions.ask(id))

    const tellCommands = (prompts: ReadonlyArray<Command>) =>
      tell({ sessionUpdate: "available_commands_update", availableCommands: SlashCommands.all(prompts) })

    const follow = <E>(send: Effect.Effect<Ref, E>) =>
      Effect.gen(function* () {
        const end = yield* Deferred.make<OfType<"run.ended">>()
        const { runId } = yield* sending(
          Effect.tap(send, ({ runId }) =>
            Effect.sync(() => {
              own.add(runId)
              ends.set(runId, end)
              prompted = runId
            })
          )
        )
        return yield* Effect.ensuring(
          Deferred.await(end),
          Effect.sync(() => {
            ends.delete(runId)
            prompted = null
          })
        )
      })

    const cancel = (runId: RunId) =>
      Effect.suspend(() => {
        cancelled.add(runId)
        return gateway.cancel(runId)
      })

    return { prompted: sending(Effect.sync(() => prompted)), cancel, showTerminal, follow, tellCommands, tellLastUsage }
  })
