/** The reference for questions to a human: about a pending call, or asked by a started one. The first answer wins. */
import { Either, Option } from "effect"
import type { CallDisplay } from "../../../domain/CallDisplay.js"
import type { Lease } from "../../../domain/Lease.js"
import type { CallId } from "../../../domain/Message.js"
import { type Access, type Answer, askingState, type Question, type QuestionId } from "../../../domain/Permission.js"
import type { Seq } from "../../../domain/Session.js"
import {
  InvalidInput,
  type LeaseLost,
  QuestionAnswered,
  QuestionNotFound,
  type SessionDeleting
} from "../../../domain/SkeinError.js"
import { putAnswer, recordAnswer } from "./Answers.js"
import { openPlace, setDisplay, setPlace } from "./Batches.js"
import {
  type Asked,
  held,
  type SessionRecord,
  putSession,
  record,
  type State,
  type Transition,
  undeleted,
  visible
} from "./State.js"

interface AskedQuestion {
  readonly id: QuestionId
  readonly seq: Seq
  readonly callId: CallId
  readonly tool: string
  readonly access: Access
  readonly input: string
  readonly display: CallDisplay
}

export const ask = (
  state: State,
  at: number,
  { asked, lease }: { readonly lease: Lease; readonly asked: AskedQuestion }
): Transition<Question | null, InvalidInput | LeaseLost | SessionDeleting> =>
  Either.gen(function* () {
    const { kept } = yield* held(state, lease)
    yield* undeleted(kept)
    const { callId, display, id, seq, tool } = asked
    const expected = askingState(display)
    const shown = expected === "pending" ? setDisplay(kept, seq, display) : kept
    const place = yield* openPlace(shown, seq).pipe(
      Option.filter(({ call }) => call.callId === callId && call.state === expected),
      Either.fromOption(
        () => new InvalidInput({ field: "seq", limit: `the place of a ${expected} call`, actual: `${seq}` })
      )
    )
    if (expected === "pending" && kept.granted.has(tool)) return [null, state]
    const { runId, sessionId } = lease
    const question: Question = { ...asked, sessionId, runId, answer: null, askedAt: at }
    const waiting = setPlace(shown, { ...place, call: { ...place.call, questionId: id } })
    const asking = { runId, callId, seq, questionId: id, tool, display }
    const recorded = record(waiting, at, { type: "permission.asked", ...asking })
    return [question, putSession({ ...state, questions: [...state.questions, question] }, recorded)]
  })

export const answer = (
  state: State,
  at: number,
  { actor, answer, questionId }: { readonly questionId: QuestionId; readonly answer: Answer } & Asked
): Transition<Question, QuestionNotFound | SessionDeleting | QuestionAnswered> =>
  Either.gen(function* () {
    const { kept, question } = yield* findQuestion(state, questionId)
    yield* undeleted(kept)
    if (question.answer !== null) {
      return yield* Either.left(new QuestionAnswered({ questionId, verdict: question.answer.verdict }))
    }
    const grants = answer.verdict === "allow-for-session"
    const answered = [question, ...(grants ? coveredBy(state, question) : [])]
    const recorded = answered.reduce((kept, one) => recordAnswer(kept, at, one, answer, actor), kept)
    const granted = grants ? new Set([...kept.granted, question.tool]) : kept.granted
    const after = answered.reduce((state, { id }) => putAnswer(state, id, answer), state)
    return [{ ...question, answer }, putSession(after, { ...recorded, granted })]
  })

/** The other open questions about the same tool in the same session, oldest first. */
const coveredBy = (state: State, { id, sessionId, tool }: Question): ReadonlyArray<Question> =>
  state.questions.filter(
    (other) =>
      other.id !== id &&
      other.sessionId === sessionId &&
      other.tool === tool &&
      other.answer === null &&
      other.display.inquiry === undefined
  )

/** A question and its session, unless the session is hidden. */
export const findQuestion = (
  state: State,
  questionId: QuestionId
): Either.Either<{ readonly question: Question; readonly kept: SessionRecord }, QuestionNotFound> =>
  Option.fromNullable(state.questions.find(({ id }) => id === questionId)).pipe(
    Option.bindTo("question"),
    Option.bind("kept", ({ question }) => Either.getRight(visible(state, question.sessionId))),
    Either.fromOption(() => new QuestionNotFound({ questionId }))
  )
