/** The reference for answers to questions. */
import { Option } from "effect"
import type { Actor } from "../../../domain/Actor.js"
import { type Answer, overtaken, type Question, type QuestionId } from "../../../domain/Permission.js"
import type { OpenCall } from "../Storage.js"
import { record, type SessionRecord, type State } from "./State.js"

/** Records the event of an answer. */
export const recordAnswer = (
  kept: SessionRecord,
  at: number,
  question: Question,
  answer: Answer,
  actor: Actor | null = null
): SessionRecord =>
  record(
    kept,
    at,
    {
      type: "permission.answered",
      runId: question.runId,
      callId: question.callId,
      seq: question.seq,
      questionId: question.id,
      by: answer.by,
      verdict: answer.verdict
    },
    actor
  )

/** The state with the answered question. */
export const putAnswer = (state: State, questionId: QuestionId, answer: Answer): State => ({
  ...state,
  questions: state.questions.map((question) => (question.id === questionId ? { ...question, answer } : question))
})

/** A session, and a state in which it has yet to be put. */
interface Answered {
  readonly kept: SessionRecord
  readonly state: State
}

/** Answers the open questions that ending calls have asked, in call order. */
export const answerOvertaken = (
  state: State,
  at: number,
  kept: SessionRecord,
  ends: (call: OpenCall) => boolean
): Answered => {
  const asked = kept.batch
    .filter(({ call, result }) => Option.isNone(result) && call.state === "started" && ends(call))
    .flatMap(({ call }) => state.questions.filter(({ answer, id }) => id === call.questionId && answer === null))
  return {
    kept: asked.reduce((kept, question) => recordAnswer(kept, at, question, overtaken), kept),
    state: asked.reduce((state, { id }) => putAnswer(state, id, overtaken), state)
  }
}
