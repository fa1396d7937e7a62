/**
 * The requests of an editor, carried out on the sessions that it has open. Loaded by the first request that needs it.
 *
 * A prompt while a run holds the session is refused with the run's id. A prompt that is cancelled ends as `cancelled`.
 */
import type {
  AgentContext,
  ClientCapabilities,
  ContentBlock,
  McpServer,
  PromptResponse,
  StopReason
} from "@agentclientprotocol/sdk"
import { Effect, Either, Exit, Fiber, FiberSet, Runtime, Schema } from "effect"
import { stat } from "node:fs/promises"
import { isAbsolute } from "node:path"
import type { StopReason as RunStopReason } from "../../domain/Run.js"
import { SessionId } from "../../domain/Session.js"
import { isDatable } from "../../domain/Timestamp.js"
import type { Service } from "../../services/gateway/Gateway.js"
import * as EventLoop from "../EventLoop.js"
import * as ConfigOptions from "./ConfigOptions.js"
import * as OpenSessions from "./OpenSessions.js"
import type * as PromptedRuns from "./PromptedRuns.js"
import * as PromptContent from "./PromptContent.js"
import * as Refusals from "./Refusals.js"
import * as SlashCommands from "./SlashCommands.js"

/** Null for a run that did not end in a way that the protocol knows. */
const stopReasonOf = (reason: RunStopReason): StopReason | null => {
  switch (reason) {
    case "completed":
      return "end_turn"
    case "output-limit":
      return "max_tokens"
    case "refused":
      return "refusal"
    case "step-limit":
    case "repeated-calls":
      return "max_turn_requests"
    case "cancelled":
    case "deleted":
      return "cancelled"
    default:
      return null
  }
}

const stopped: PromptResponse = { stopReason: "cancelled" }

const answerTo = (end: PromptedRuns.End) => {
  if (end === "stopped") return Effect.succeed(stopped)
  const { detail, runId, stopReason, usage } = end
  const reason = stopReasonOf(stopReason)
  return reason === null
    ? Effect.fail(Refusals.internal(detail ?? `The run ended: ${stopReason}`, { runId, stopReason }))
    : Effect.succeed<PromptResponse>({ stopReason: reason, _meta: { skein: { runId, usage } } })
}

const readId = Schema.decodeUnknown(SessionId)

const idOf = (sessionId: string) => Effect.mapError(readId(sessionId), () => Refusals.noSession)

/** What an editor says about a session that it opens. */
export interface Opening {
  readonly cwd: string
  readonly mcpServers?: ReadonlyArray<McpServer>
}

/** What an editor says in a session. */
export interface Prompt {
  readonly sessionId: string
  readonly prompt: ReadonlyArray<ContentBlock>
}

/** What the requests of one client work on. */
export interface Options<E, E2> {
  /** Opens the access to the sessions, once. */
  readonly engine: Effect.Effect<OpenSessions.Engine<E>, E2>
  /** What the client said it can do. */
  readonly capabilities: () => ClientCapabilities
}

/** The requests of one client, each failing as the protocol prescribes. Its sessions stay open until the scope ends. */
export const make = <E, E2>({ capabilities, engine }: Options<E, E2>) =>
  Effect.gen(function* () {
    const sessions = yield* OpenSessions.make(engine, capabilities)
    const { gatewayOf } = sessions

    const answer = <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, Refusals.Refused> =>
      Effect.catchAllCause(effect, (cause) => Effect.fail(Refusals.of(cause)))

    /** Servers may take a while to say what they offer. */
    const tellOffers = ({ prompts, watch }: OpenSessions.OpenSession) =>
      Effect.gen(function* () {
        yield* watch.tellCommands([])
        yield* watch.tellLastUsage
        const all = yield* Effect.forEach(prompts, ({ commands }) => commands, { concurrency: "unbounded" })
        if (all.flat().length > 0) yield* watch.tellCommands(all.flat())
      })

    /** Answers with what can be chosen for a session. Once the editor has the answer, it is told what else is offered. */
    const answerOpened = <A>(effect: Effect.Effect<readonly [OpenSessions.OpenSession, A], unknown>) =>
      answer(
        Effect.flatMap(effect, ([open, value]) =>
          Effect.as(Effect.forkIn(Effect.zipRight(EventLoop.turn, tellOffers(open)), open.scope), value)
        )
      )

    const readOpening = ({ cwd, mcpServers = [] }: Opening) =>
      Effect.gen(function* () {
        if (!isAbsolute(cwd)) return yield* Effect.fail(Refusals.invalidParams("cwd: must be an absolute path"))
        const { readServers } = yield* engine
        return { cwd, named: yield* readServers(mcpServers, cwd) }
      })

    const isFolder = (path: string) =>
      Effect.orElseSucceed(
        Effect.tryPromise(async () => (await stat(path)).isDirectory()),
        () => false
      )

    const create = (given: Opening, client: AgentContext) =>
      Effect.gen(function* () {
        const { cwd, named } = yield* readOpening(given)
        if (!(yield* isFolder(cwd)))
          return yield* Effect.fail(Refusals.invalidParams("cwd: must be an existing folder"))
        const access = yield* sessions.steered(cwd, named.servers)
        const { gateway } = access
        const { id } = yield* gateway.create({ ...(yield* engine).newSession, workdir: cwd })
        const open = yield* sessions.open({ access, sessionId: id, client, named, withHistory: false })
        return [open, { sessionId: id, ...(yield* sessions.choices(id, gateway)) }] as const
      })

    const reopen = (given: Opening & { readonly sessionId: string }, client: AgentContext, withHistory: boolean) =>
      Effect.gen(function* () {
        const { named } = yield* readOpening(given)
        const sessionId = yield* idOf(given.sessionId)
        const access = yield* sessions.steered(null, named.servers)
        const open = yield* sessions.open({ access, sessionId, client, named, withHistory })
        return [open, yield* sessions.choices(sessionId, access.gateway)] as const
      })

    /** Resumes the run that was cut off. Fails when the run has already ended. */
    const resume = (gateway: Service, sessionId: SessionId) =>
      Effect.gen(function* () {
        const [newest] = yield* gateway.runs({ sessionId, limit: 1 })
        const ref = yield* gateway.resume(sessionId)
        return newest?.state === "ended" && newest.id === ref.runId
          ? yield* Effect.fail(Refusals.invalidParams("There is nothing to resume"))
          : ref
      })

    const answerPrompt = ({ prompt }: Prompt, sessionId: SessionId, open: OpenSessions.OpenSession) =>
      Effect.gen(function* () {
        const { expanding, gateway, prompts, runs } = open
        const command = SlashCommands.read(prompt)
        const server = command?._tag === "Prompt" ? prompts.find(({ isOne }) => isOne(command.name)) : undefined
        if (command?._tag === "Rename") {
          yield* gateway.patch({ sessionId, title: command.title })
          return { stopReason: "end_turn" } satisfies PromptResponse
        }
        if (command?._tag === "Resume") return yield* Effect.flatMap(runs.follow(resume(gateway, sessionId)), answerTo)
        if (command?._tag === "Prompt" && server !== undefined) {
          const expansion = yield* FiberSet.run(expanding, server.expand(command.name, command.typed))
          const expanded = yield* Fiber.await(expansion)
          if (Exit.isInterrupted(expanded)) return stopped
          const content = yield* expanded
          const said = Effect.flatMap(PromptContent.save(gateway, sessionId, content), (message) =>
            gateway.send({ sessionId, ...message })
          )
          return yield* Effect.flatMap(runs.follow(said), answerTo)
        }
        const sent = Effect.flatMap(PromptContent.read(gateway, sessionId, prompt), (message) =>
          gateway.send({ sessionId, ...message })
        )
        return yield* Effect.flatMap(runs.follow(sent), answerTo)
      })

    const prompt = (given: Prompt, client: AgentContext) =>
      Effect.gen(function* () {
        const sessionId = yield* idOf(given.sessionId)
        const open = yield* sessions.openOf(sessionId, client)
        return yield* open.remarks.during(answerPrompt(given, sessionId, open))
      })

    /**
     * Ends the expansion of a prompt that is not sent yet, or cancels the prompt's run, otherwise the run that the
     * session has: the editor sees it too.
     */
    const cancel = (given: string) =>
      Effect.gen(function* () {
        const sessionId = yield* idOf(given)
        const open = sessions.get(sessionId)
        if (open === undefined) return
        const { expanding, gateway, runs } = open
        if ((yield* FiberSet.size(expanding)) > 0) return yield* FiberSet.clear(expanding)
        yield* runs.cancel(
          gateway,
          Effect.map(gateway.snapshot(sessionId), ({ run }) => run?.run.id ?? null)
        )
      })

    /** Closing a session stops only the editor's own prompt. */
    const stopPrompt = (sessionId: SessionId) =>
      Effect.suspend(() => {
        const open = sessions.get(sessionId)
        return open === undefined ? Effect.void : open.runs.cancel(open.gateway, Effect.succeed(null))
      })

    const list = (cwd: string | null | undefined, cursor: string | null | undefined) =>
      Effect.gen(function* () {
        const gateway = yield* sessions.anyGateway
        const page = yield* gateway.sessions({
          order: "activity",
          workdir: cwd ?? undefined,
          after: cursor ?? undefined
        })
        return {
          nextCursor: page.next,
          sessions: page.sessions.flatMap(({ id, title, updatedAt, workdir }) =>
            workdir === null
              ? []
              : [
                  {
                    sessionId: id,
                    cwd: workdir,
                    title,
                    ...(isDatable(updatedAt) ? { updatedAt: new Date(updatedAt).toISOString() } : {})
                  }
                ]
          )
        }
      })

    /** Makes a choice, and returns what can be chosen now. */
    const configure = (given: string, configId: string, value: unknown, client: AgentContext) =>
      Effect.gen(function* () {
        const sessionId = yield* idOf(given)
        const open = yield* sessions.openOf(sessionId, client)
        const { gateway } = open
        const session = yield* gateway.session(sessionId)
        const change = ConfigOptions.change(yield* gateway.agents(), session, configId, value)
        if (Either.isLeft(change))
          return yield* Effect.fail(Refusals.invalidParams(`${change.left}: must be one of the offered values`))
        if ("permission" in change.right) open.permission = change.right.permission
        else yield* gateway.patch({ sessionId, ...change.right.session })
        const { configOptions } = yield* sessions.choices(sessionId, gateway)
        return { configOptions }
      })

    const remove = (given: string) =>
      Effect.gen(function* () {
        const sessionId = yield* idOf(given)
        yield* (yield* gatewayOf(sessionId)).delete(sessionId)
        yield* sessions.close(sessionId)
      })

    const close = (given: string) =>
      Effect.gen(function* () {
        const sessionId = yield* idOf(given)
        yield* Effect.ensuring(stopPrompt(sessionId), sessions.close(sessionId))
      })

    return {
      create: (given: Opening, client: AgentContext) => answerOpened(create(given, client)),
      /** With the history, the whole conversation is sent before the answer. */
      reopen: (given: Opening & { readonly sessionId: string }, client: AgentContext, withHistory: boolean) =>
        answerOpened(reopen(given, client, withHistory)),
      list: (given: { readonly cwd?: string | null; readonly cursor?: string | null }) =>
        answer(list(given.cwd, given.cursor)),
      remove: (sessionId: string) => answer(remove(sessionId)),
      close: (sessionId: string) => answer(close(sessionId)),
      configure: (sessionId: string, configId: string, value: unknown, client: AgentContext) =>
        answer(configure(sessionId, configId, value, client)),
      prompt: (given: Prompt, client: AgentContext) => answer(prompt(given, client)),
      cancel: (sessionId: string) => answer(cancel(sessionId))
    }
  })

/** What `make` returns. */
export type Requests = Effect.Effect.Success<ReturnType<typeof make>>

export type { Refused } from "./Refusals.js"

/** Carries out a request. Rejects with `Refused`. */
export type Ask = <A>(request: (requests: Requests) => Effect.Effect<A, Refusals.Refused>) => Promise<A>

/** Makes the requests when the first of them comes; they last as long as the scope. */
export const asking = <E, R>(requests: Effect.Effect<Requests, E, R>): Effect.Effect<Ask, never, R> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<R>()
    const made = yield* Effect.cached(requests)
    return async (request) => {
      const exit = await Runtime.runPromiseExit(runtime)(Effect.flatMap(made, request))
      if (Exit.isSuccess(exit)) return exit.value
      throw Refusals.of(exit.cause)
    }
  })
