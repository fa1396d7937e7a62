/**
 * Questions about calls, put to the editor's user. An inquiry becomes a form if the editor has forms. When somebody
 * else answers first, or the run ends, the request is withdrawn. A question that the editor does not answer stays open
 * for others.
 */
import type {
  AgentContext,
  CreateElicitationRequest,
  ElicitationCapabilities,
  PermissionOption,
  RequestPermissionRequest,
  ToolCallUpdate
} from "@agentclientprotocol/sdk"
import { Effect, Either, FiberSet, Schema } from "effect"
import type { Inquiry } from "../../domain/Inquiry.js"
import * as OneLine from "../../domain/OneLine.js"
import { type Question, type QuestionId, Verdict } from "../../domain/Permission.js"
import type { RunId } from "../../domain/Run.js"
import type { Service } from "../../services/gateway/Gateway.js"
import { inputOf } from "../http/protocols/ResultContent.js"
import * as Elicitations from "./Elicitations.js"
import { inFolder, shownAs } from "./Updates.js"

const deny: PermissionOption = { optionId: "deny", name: "Deny", kind: "reject_once" }

const optionsOf = ({ display: { always, inquiry }, tool }: Question): Array<PermissionOption> => {
  // An editor that cannot show fields can still deny them; other clients can fill them in.
  if (inquiry !== undefined)
    return inquiry.link === undefined ? [deny] : [{ optionId: "allow-once", name: "Done", kind: "allow_once" }, deny]
  return [
    { optionId: "allow-once", name: "Allow", kind: "allow_once" },
    { optionId: "allow-for-session", name: `Allow ${tool} in this session`, kind: "allow_always" },
    ...(always === undefined
      ? []
      : [{ optionId: "allow-always", name: `Always allow ${always}`, kind: "allow_always" as const }]),
    deny
  ]
}

const longestTitle = 1024

const askedIn = ({ from, link, text }: Inquiry): string =>
  OneLine.first(OneLine.fold(`${from}: ${text}${link === undefined ? "" : ` ${link}`}`), longestTitle) ?? from

/** How often a person is asked again after an answer that does not fit. */
const triesAgain = 2

const readVerdict = Schema.decodeUnknownEither(Verdict)

interface CancelOptions {
  readonly cancellationSignal: AbortSignal
  readonly stopWaitingOnCancel: true
}

interface Options {
  readonly gateway: Service
  readonly client: AgentContext
  /** The session's folder. */
  readonly workdir: string | null
  /** Which inquiries of calls the editor can show. */
  readonly elicitation: () => ElicitationCapabilities | null | undefined
  /** Whether calls of a run are allowed without asking, each once. */
  readonly allowed: (runId: RunId) => boolean
}

export const make = ({ allowed, client, elicitation, gateway, workdir }: Options) =>
  Effect.gen(function* () {
    const asked = new Set<QuestionId>()
    const open = new Map<QuestionId, AbortController>()
    const fork = yield* FiberSet.makeRuntime()

    const request = <A>(send: (options: CancelOptions) => Promise<A>, signal: AbortSignal) =>
      Effect.tryPromise(() => send({ cancellationSignal: signal, stopWaitingOnCancel: true }))

    const askPermission = (question: Question, signal: AbortSignal) => {
      const { callId, display, input, sessionId, tool } = question
      const { inquiry } = display
      const toolCall: ToolCallUpdate = {
        toolCallId: callId,
        title: tool,
        rawInput: inputOf(input),
        ...inFolder(shownAs(display), workdir),
        ...(inquiry === undefined ? {} : { title: askedIn(inquiry) })
      }
      const params: RequestPermissionRequest = { sessionId, toolCall, options: optionsOf(question) }
      return Effect.map(
        request((options) => client.request("session/request_permission", params, options), signal),
        ({ outcome }) => {
          const verdict = readVerdict(outcome.outcome === "selected" ? outcome.optionId : null)
          return Either.isRight(verdict) ? { verdict: verdict.right } : null
        }
      )
    }

    const elicit = (params: CreateElicitationRequest, signal: AbortSignal) =>
      Effect.map(
        request((options) => client.request("elicitation/create", params, options), signal),
        Elicitations.answerOf
      )

    const put = Effect.fnUntraced(function* (questionId: QuestionId) {
      const question = yield* gateway.question(questionId)
      const { answer, display, runId } = question
      if (answer !== null) return
      const { inquiry } = display
      if (inquiry === undefined && allowed(runId)) {
        yield* gateway.answer({ questionId, verdict: "allow-once" })
        return
      }
      const taken = new AbortController()
      open.set(questionId, taken)
      const form = inquiry === undefined ? null : Elicitations.requestOf(question, inquiry, elicitation())
      const asking = form === null ? askPermission(question, taken.signal) : elicit(form, taken.signal)
      yield* Effect.flatMap(asking, (given) =>
        given === null ? Effect.void : gateway.answer({ questionId, ...given })
      ).pipe(
        Effect.retry({ times: triesAgain, while: ({ _tag }) => _tag === "InvalidInput" }),
        Effect.ensuring(Effect.sync(() => open.delete(questionId)))
      )
    }, Effect.ignore)

    return {
      /** Puts a question in the background, once. */
      ask: (questionId: QuestionId) => {
        if (asked.has(questionId)) return
        asked.add(questionId)
        fork(put(questionId))
      },
      /** Withdraws a question. */
      settle: (questionId: QuestionId) => open.get(questionId)?.abort()
    }
  })
