/**
 * Questions about calls, put to the editor's user. An inquiry becomes a form if the editor has forms. When somebody
 * else answers first, or the run ends, the request is withdrawn.
 *
 * While the editor is silent, a question stays open for others. Whatever it answers ends the question: one that its user
 * dismisses, that it cannot show, or to which it does not give an answer that fits, is dismissed, and the call is denied.
 * After a cancellation a dismissed question is only a part of that.
 */
import type {
  AgentContext,
  CreateElicitationRequest,
  ElicitationCapabilities,
  PermissionOption,
  ToolCallUpdate
} from "@agentclientprotocol/sdk"
import { Effect, FiberSet, Predicate } from "effect"
import type { Question, QuestionId, Verdict } from "../../domain/Permission.js"
import type { RunId } from "../../domain/Run.js"
import type { Answer, Service } from "../../services/gateway/Gateway.js"
import * as AskedCall from "./AskedCall.js"
import * as Elicitations from "./Elicitations.js"
import * as FileBefore from "./FileBefore.js"
import { inFolder, shownAs } from "./Updates.js"

interface Option extends PermissionOption {
  readonly optionId: Verdict
}

const deny: Option = { optionId: "deny", name: "Deny", kind: "reject_once" }

/**
 * One of a kind: editors know options by their kinds, and show and choose the first or the last of several. A rule for
 * good is not offered, because it would be stored by accident.
 */
const optionsOf = ({ display: { inquiry }, tool }: Question): Array<Option> => {
  // An editor that cannot show fields can still deny them; other clients can fill them in.
  if (inquiry !== undefined)
    return inquiry.link === undefined ? [deny] : [{ optionId: "allow-once", name: "Done", kind: "allow_once" }, deny]
  return [
    { optionId: "allow-once", name: "Allow", kind: "allow_once" },
    { optionId: "allow-for-session", name: `Allow ${tool} in this session`, kind: "allow_always" },
    deny
  ]
}

/** How often a person is asked again after an answer that does not fit. */
const triesAgain = 2

type Given = Omit<Answer, "questionId">

const dismissed: Given = { verdict: "deny", isDismissed: true }

/** The error with which an editor answers has a code; any other means that nothing was answered. */
const isAnswer = (error: unknown): boolean => Predicate.hasProperty(error, "code") && Predicate.isNumber(error.code)

/** The verdict of the option that was selected. Whatever else the editor answers dismisses the question. */
const chosen = (options: ReadonlyArray<Option>, response: unknown): Given => {
  const outcome = Predicate.hasProperty(response, "outcome") ? response.outcome : null
  const isSelected = Predicate.hasProperty(outcome, "outcome") && outcome.outcome === "selected"
  const optionId = isSelected && Predicate.hasProperty(outcome, "optionId") ? outcome.optionId : null
  const option = options.find((option) => option.optionId === optionId)
  return option === undefined ? dismissed : { verdict: option.optionId }
}

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
  /** Whether the editor has cancelled a run. */
  readonly isCancelled: (runId: RunId) => boolean
}

export const make = ({ allowed, client, elicitation, gateway, isCancelled, workdir }: Options) =>
  Effect.gen(function* () {
    const asked = new Map<QuestionId, AbortController>()
    const fork = yield* FiberSet.makeRuntime()

    /** What the editor shows of a call, with its whole input. */
    const shownOf = (question: Question): Effect.Effect<ToolCallUpdate> =>
      Effect.gen(function* () {
        const { callId, display } = question
        const { change, content, rawInput, title } = AskedCall.of(question)
        const shown = change === null ? null : yield* FileBefore.added(workdir, change)
        const update = { ...shownAs(display), toolCallId: callId, title, rawInput, content: content(shown) }
        return inFolder(update, workdir)
      })

    /** What the editor answers; null when it does not, because the question is withdrawn or the editor is gone. */
    const request = (
      send: (options: CancelOptions) => Promise<unknown>,
      signal: AbortSignal,
      read: (answer: unknown) => Given
    ) =>
      Effect.tryPromise({
        try: () => send({ cancellationSignal: signal, stopWaitingOnCancel: true }),
        catch: (error) => (!signal.aborted && isAnswer(error) ? dismissed : null)
      }).pipe(
        Effect.map(read),
        Effect.catchAll((given) => Effect.succeed(given))
      )

    const askPermission = (question: Question, signal: AbortSignal) =>
      Effect.flatMap(shownOf(question), (toolCall) => {
        const options = optionsOf(question)
        const params = { sessionId: question.sessionId, toolCall, options }
        return request(
          (cancel) => client.request("session/request_permission", params, cancel),
          signal,
          (response) => chosen(options, response)
        )
      })

    const elicit = (params: CreateElicitationRequest, signal: AbortSignal) =>
      request((cancel) => client.request("elicitation/create", params, cancel), signal, Elicitations.answerOf)

    const put = Effect.fnUntraced(function* (questionId: QuestionId, signal: AbortSignal) {
      const question = yield* gateway.question(questionId)
      const { answer, display, runId } = question
      if (answer !== null) return
      const { inquiry } = display
      if (inquiry === undefined && allowed(runId)) {
        yield* gateway.answer({ questionId, verdict: "allow-once" })
        return
      }
      const form = inquiry === undefined ? null : Elicitations.requestOf(question, inquiry, elicitation())
      const asking = form === null ? askPermission(question, signal) : elicit(form, signal)
      yield* Effect.flatMap(asking, (given) =>
        given === null || (given.isDismissed === true && isCancelled(runId))
          ? Effect.void
          : gateway.answer({ questionId, ...given })
      ).pipe(
        Effect.retry({ times: triesAgain, while: ({ _tag }) => _tag === "InvalidInput" }),
        Effect.catchTag("InvalidInput", () => gateway.answer({ questionId, ...dismissed }))
      )
    }, Effect.ignore)

    return {
      /** Puts a question in the background, once. */
      ask: (questionId: QuestionId) => {
        if (asked.has(questionId)) return
        const taken = new AbortController()
        asked.set(questionId, taken)
        const withdraw = Effect.sync(() => taken.abort())
        fork(Effect.ensuring(put(questionId, taken.signal), withdraw))
      },
      /** Withdraws a question. */
      settle: (questionId: QuestionId) => asked.get(questionId)?.abort()
    }
  })
