/**
 * Whether a call may run: the policy's decision and, where the policy asks for it, a human's answer. The question is
 * stored before anybody can be shown it, and its answer belongs to this very call. A policy that fails denies the call.
 */
import { Cause, Effect, Exit } from "effect"
import { type Answer, QuestionId } from "../../domain/Permission.js"
import type { SessionId } from "../../domain/Session.js"
import { Ids } from "../Ids.js"
import * as Permissions from "../Permissions.js"
import { EventSignals } from "../storage/EventSignals.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import type * as Tool from "../Tool.js"
import type { CallRun } from "./CallRun.js"
import * as HandlerResult from "./HandlerResult.js"

const isAllowed = ({ verdict }: Answer): boolean => verdict === "allow-once" || verdict === "allow-for-session"

const denialBy = (answer: Answer): string =>
  `Denied${answer.by === null ? "" : ` by ${answer.by}`}: ${answer.message ?? "no reason was given"}`

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  const ids = yield* Ids
  const permissions = yield* Permissions.Permissions

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

  const decide = Effect.fnUntraced(function* (request: Permissions.Request) {
    const exit = yield* Effect.suspend(() => permissions.decide(request)).pipe(Effect.disconnect, Effect.exit)
    if (Exit.isSuccess(exit)) return exit.value
    yield* Effect.annotateLogs(Effect.logError("the permission policy broke"), {
      defect: HandlerResult.describe(Cause.squash(exit.cause))
    })
    return Permissions.deny("the permission policy failed")
  })

  /** Null when the call may run, else what the model is told. A question that was asked before is not asked again. */
  const denial = Effect.fn("PermissionCheck.denial")(function* (
    { call, context, part }: CallRun,
    tool: Tool.Runnable<Tool.Call>
  ) {
    const { lease, run, session } = context
    const about = { callId: part.callId, tool: tool.name, access: tool.access, input: part.input }
    const asked = call.questionId
    if (asked === null) {
      const decision = yield* decide({ session, run, ...about })
      if (decision._tag === "Allow") return null
      if (decision._tag === "Deny") return `Denied: ${decision.message}`
      if ((yield* reader.granted(session.id)).has(tool.name)) return null
    }
    const questionId = asked ?? QuestionId.make(yield* ids.next("ask"))
    if (asked === null) yield* storage.ask(lease, { id: questionId, seq: call.seq, ...about })
    const answer = yield* answerTo(questionId, session.id)
    return isAllowed(answer) ? null : denialBy(answer)
  })

  return { denial }
})
