/**
 * Whether a call may run: the agent's policy decides and, where the policy asks for it, a human's answer. The question is
 * stored before anybody can be shown it, and its answer belongs to this very call. A policy that fails denies the call.
 */
import { Cause, Effect, Exit } from "effect"
import type { CallPart } from "../../domain/Message.js"
import { type Answer, type Decision, QuestionId } from "../../domain/Permission.js"
import type { SessionId } from "../../domain/Session.js"
import { Ids } from "../Ids.js"
import * as Permissions from "../Permissions.js"
import { EventSignals } from "../storage/EventSignals.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import type * as Tool from "../Tool.js"
import * as AtOnce from "./AtOnce.js"
import type { AcceptedCall } from "./CallReading.js"
import type { CallRun, RunContext } from "./CallRun.js"
import * as HandlerResult from "./HandlerResult.js"

/** The policy at work on a call. */
export type Deciding = AtOnce.Work<Decision>

/** What there is to decide about. `deciding` is null for a call about which a human was asked before. */
interface PermittedCall extends Pick<AcceptedCall, "display" | "tool"> {
  readonly deciding: Deciding | null
}

const allows = ({ verdict }: Answer): boolean => verdict === "allow-once" || verdict === "allow-for-session"

const denialBy = (answer: Answer): string =>
  `Denied${answer.by === null ? "" : ` by ${answer.by}`}: ${answer.message ?? "no reason was given"}`

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  const ids = yield* Ids

  const answerTo = (questionId: QuestionId, sessionId: SessionId) =>
    Effect.scoped(
      Effect.gen(function* () {
        const watch = yield* signals.watch(sessionId)
        while (true) {
          const { answer } = yield* reader.question(questionId)
          if (answer !== null) return answer
          yield* watch.next
        }
      })
    )

  /** Has the policy begin to decide on a call. */
  const begin = (
    { agent, run, session }: RunContext,
    { callId, input }: CallPart,
    { access, name }: Tool.Runnable<Tool.Call>
  ): Effect.Effect<Deciding> =>
    AtOnce.begin(Effect.suspend(() => agent.policy({ session, run, callId, tool: name, access, input })))

  const decisionOf = Effect.fnUntraced(function* (deciding: Deciding) {
    const exit = yield* AtOnce.exitOf(deciding)
    if (Exit.isSuccess(exit)) return exit.value
    yield* Effect.annotateLogs(Effect.logError("the permission policy broke"), {
      defect: HandlerResult.describe(Cause.squash(exit.cause))
    })
    return Permissions.deny("the permission policy failed")
  })

  /** The question about a call, asked now unless it was before; null when the call needs none. */
  const question = Effect.fnUntraced(function* ({ call, context, part }: CallRun, { display, tool }: PermittedCall) {
    if (call.questionId !== null) return call.questionId
    if ((yield* reader.granted(context.session.id)).has(tool.name)) return null
    const id = QuestionId.make(yield* ids.next("ask"))
    const { callId, input } = part
    const { access, name } = tool
    yield* storage.ask(context.lease, { id, seq: call.seq, callId, tool: name, access, input, display })
    return id
  })

  /**
   * Null when the call may run, else what the model is told. The policy is not asked again about a call about which a
   * human was asked before.
   */
  const denial = Effect.fn("PermissionCheck.denial")(function* (one: CallRun, about: PermittedCall) {
    const { deciding } = about
    const decision = deciding === null ? Permissions.ask : yield* decisionOf(deciding)
    if (decision._tag === "Allow") return null
    if (decision._tag === "Deny") return `Denied: ${decision.message}`
    const asked = yield* question(one, about)
    if (asked === null) return null
    const answer = yield* answerTo(asked, one.context.session.id)
    return allows(answer) ? null : denialBy(answer)
  })

  /** Whether the policy has allowed a call by now. */
  const isAllowed = (deciding: Deciding): boolean => {
    const exit = deciding.unsafePoll()
    return exit !== null && Exit.isSuccess(exit) && exit.value._tag === "Allow"
  }

  return { begin, denial, isAllowed }
})
