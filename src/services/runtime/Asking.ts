/**
 * What a call asks a person while it runs. The question is stored before anybody can see it, and the call waits for its
 * answer. When the call ends first, or stops waiting, the question is closed.
 */
import { Effect } from "effect"
import * as Inquiry from "../../domain/Inquiry.js"
import { type Answer, overtaken, QuestionId } from "../../domain/Permission.js"
import type { SessionId } from "../../domain/Session.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import { Ids } from "../Ids.js"
import { EventSignals } from "../storage/EventSignals.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import type { AcceptedCall } from "./CallReading.js"
import type { CallRun } from "./CallRun.js"

/** How a call asks a person. */
export type Ask = (inquiry: Inquiry.Inquiry) => Effect.Effect<Inquiry.Reply, InvalidInput>

/** Most questions of one call. */
const mostOfCall = 16

/** For a call whose input is still being read. */
export const tooEarly: Ask = () =>
  new InvalidInput({ field: "call", limit: "a call that has started", actual: "one whose input is read" })

/** Waits until a question is answered, by anybody and in any process. */
export const answers = Effect.gen(function* () {
  const reader = yield* StorageReader
  const signals = yield* EventSignals
  return (questionId: QuestionId, sessionId: SessionId) =>
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
})

const replyOf = ({ isDismissed = false, message, values = {}, verdict }: Answer): Inquiry.Reply => {
  if (verdict === "allow-once") return { _tag: "Given", values }
  return isDismissed ? { _tag: "Dismissed" } : { _tag: "Declined", message }
}

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const ids = yield* Ids
  const answerTo = yield* answers

  /** Returns how a call asks. A call that has asked too often is refused. */
  return ({ call, context, part }: CallRun, { display, tool }: Pick<AcceptedCall, "display" | "tool">): Ask => {
    let asked = 0
    const { callId, input } = part
    return (inquiry) =>
      Effect.gen(function* () {
        const flaw = Inquiry.flawOf(inquiry)
        if (flaw !== null) return yield* new InvalidInput(flaw)
        if (asked >= mostOfCall) {
          return yield* new InvalidInput({ field: "call", limit: `${mostOfCall} questions of a call`, actual: "more" })
        }
        asked++
        const id = QuestionId.make(yield* ids.next("ask"))
        const question = { id, seq: call.seq, callId, tool: tool.name, access: tool.access, input }
        return yield* Effect.uninterruptibleMask((restore) =>
          Effect.orDie(storage.ask(context.lease, { ...question, display: { ...display, inquiry } })).pipe(
            Effect.zipRight(restore(Effect.orDie(answerTo(id, context.session.id)))),
            Effect.onInterrupt(() => Effect.ignore(storage.answer(id, overtaken))),
            Effect.map(replyOf)
          )
        )
      })
  }
})
