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
import type { RunId } from "../../domain/Run.js"
import { Cursor, Seq, type SessionId } from "../../domain/Session.js"
import type { OfType, SessionEvent } from "../../domain/SessionEvent.js"
import type { Service } from "../../services/gateway/Gateway.js"
import * as RunTelling from "../http/protocols/RunTelling.js"
import type { Command } from "../mcp/Mcp.js"
import * as History from "./History.js"
import type { PromptedRuns } from "./PromptedRuns.js"
import * as Questions from "./Questions.js"
import * as SlashCommands from "./SlashCommands.js"
import * as Updates from "./Updates.js"

export interface Watch {
  /** Keeps what happens from being told until it is resumed. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Returns when nothing more will be told, although the scope is still open. */
  readonly over: Effect.Effect<void>
  /** Shows the editor's terminal in which a call runs, in place of the call's output. */
  readonly showTerminal: (callId: CallId, terminalId: string) => Effect.Effect<void>
  /** Tells which slash commands there are, including those of servers. */
  readonly tellCommands: (prompts: ReadonlyArray<Command>) => Effect.Effect<void>
  /** Says something of the agent's own. */
  readonly tellRemark: (text: string) => Effect.Effect<void>
  /** Tells how full the context was at the newest step. */
  readonly tellLastUsage: Effect.Effect<void>
}

interface Options {
  readonly gateway: Service
  readonly client: AgentContext
  readonly sessionId: SessionId
  /** The runs of the editor's prompts, which are told how they end. */
  readonly runs: PromptedRuns
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
  runs,
  sessionId,
  withHistory
}: Options): Effect.Effect<Watch, Effect.Effect.Error<ReturnType<Service["snapshot"]>> | Error, Scope.Scope> =>
  Effect.gen(function* () {
    const snapshot = yield* gateway.snapshot(sessionId)
    const questions = yield* Questions.make({
      gateway,
      client,
      workdir: snapshot.session.workdir,
      elicitation,
      allowed: (runId) => runs.isOwn(runId) && allowsAll(),
      isCancelled: runs.isCancelled
    })
    const holder = snapshot.run?.run ?? null
    const begin = withHistory && holder !== null ? holder.cursor : snapshot.cursor
    const caughtUp = yield* Deferred.make<void>()
    const over = yield* Deferred.make<void>()
    const telling = Effect.unsafeMakeLatch(true)
    const terminals = new Map<CallId, string>()
    let tellers = HashMap.empty<RunId, ReturnType<typeof RunTelling.make>>()

    const { workdir } = snapshot.session
    const shown = (update: SessionUpdate): SessionUpdate => {
      const seen = Updates.withTerminal(update, terminals)
      return seen.sessionUpdate === "tool_call_update" || seen.sessionUpdate === "tool_call"
        ? Updates.inFolder(seen, workdir)
        : seen
    }
    const tell = (update: SessionUpdate) =>
      Effect.promise(() => client.notify("session/update", { sessionId, update: shown(update) }))
    const showTerminal = (callId: CallId, terminalId: string) => {
      terminals.set(callId, terminalId)
      return tell({ sessionUpdate: "tool_call_update", toolCallId: callId, content: [] })
    }
    const updatesOf = History.make(gateway, sessionId)
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

    /**
     * The editor is told what it said itself only with the history. Which run is its own is known once the message is
     * sent.
     */
    const tellUser = ({ cursor, entry, runId }: OfType<"message.appended">) =>
      runs.between(
        Effect.suspend(() =>
          entry === undefined || (runId !== null && runs.isOwn(runId) && cursor > snapshot.cursor)
            ? Effect.void
            : Effect.flatMap(updatesOf(entry), tellAll)
        )
      )

    const tellRun = (event: SessionEvent, runId: RunId) =>
      Effect.forEach(tellerOf(runId)(event), (told) => tellAll(Updates.of(told)), { discard: true })

    const endRun = (end: OfType<"run.ended">) =>
      Effect.suspend(() => {
        tellers = HashMap.remove(tellers, end.runId)
        return runs.end(end)
      })

    const onEvent = (event: SessionEvent): Effect.Effect<unknown> =>
      Effect.gen(function* () {
        yield* telling.await
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
        if (event.type === "session.deleted") yield* runs.close
        if ("cursor" in event && event.cursor >= snapshot.cursor) yield* Deferred.succeed(caughtUp, undefined)
      })

    if (withHistory) {
      const { head } = snapshot.session
      const to = Seq.make(head)
      const entries = head === 0 ? Stream.empty : gateway.transcript({ sessionId, to })
      const displays = head === 0 ? undefined : yield* History.displaysOf(gateway, sessionId, to)
      const inHistory = History.make(gateway, sessionId, displays)
      yield* Stream.runForEach(entries, (entry) =>
        holder !== null && entry.runId === holder.id ? Effect.void : Effect.flatMap(inHistory(entry), tellAll)
      )
    }
    const events = yield* gateway
      .subscribe({ sessionId, entries: true, after: begin })
      .pipe(
        Effect.catchTag("CursorGone", ({ newest }) =>
          gateway.subscribe({ sessionId, entries: true, after: Cursor.make(newest) })
        )
      )
    const stopped = Effect.zipRight(Deferred.succeed(caughtUp, undefined), Deferred.succeed(over, undefined))
    yield* Effect.forkScoped(Effect.ensuring(Effect.ignore(Stream.runForEach(events, onEvent)), stopped))
    if (begin < snapshot.cursor) yield* Deferred.await(caughtUp)
    yield* runs.catchUp(gateway, ({ cursor, id }) => id === holder?.id || cursor >= snapshot.cursor)
    snapshot.questions.forEach(({ id }) => questions.ask(id))

    const tellCommands = (prompts: ReadonlyArray<Command>) =>
      tell({ sessionUpdate: "available_commands_update", availableCommands: SlashCommands.all(prompts) })

    let remarks = 0

    return {
      pause: telling.close,
      resume: telling.open,
      over: Deferred.await(over),
      showTerminal,
      tellCommands,
      tellRemark: (text) => Effect.suspend(() => tell(Updates.remark(text, ++remarks))),
      tellLastUsage
    }
  })
