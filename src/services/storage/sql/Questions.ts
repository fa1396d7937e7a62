/** Questions to a human. A question is about a pending call, or asked by a started one; the first answer counts. */
import { Array, Effect, Either, Schema } from "effect"
import type { Lease } from "../../../domain/Lease.js"
import { type Answer, askingState, Question, type QuestionId } from "../../../domain/Permission.js"
import type { Owner, SessionId } from "../../../domain/Session.js"
import {
  InvalidInput,
  type LeaseLost,
  QuestionAnswered,
  QuestionNotFound,
  type RowDamaged,
  type SessionDeleting,
  type StorageFailed
} from "../../../domain/SkeinError.js"
import * as Program from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { answerAbout, setAnswer } from "./Answers.js"
import { displayText, setDisplay } from "./Batches.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { changeable, held, record, type SessionRow, undeleted } from "./SessionRow.js"
import { insert, insertion, select } from "./Table.js"
import { grants, questions } from "./Tables.js"

interface Row {
  readonly sessionId: SessionId
  readonly seq: number
  readonly run: number
}

const names = ["id", "run", "seq", "tool", "access", "input", "display", "answer", "askedAt"] as const

const selectQuestion = `SELECT ${select(questions, names)}, questions.call AS "callId", session_rows.id AS "sessionId",
  runs.id AS "runId" FROM questions JOIN session_rows ON session_rows.ordinal = questions.session JOIN runs ON runs.ordinal = questions.run
  WHERE session_rows.state <> 'hidden'`

/** The row of a question, answered or not. */
export const insertQuestion = insertion(questions, [
  "id",
  "session",
  "run",
  "seq",
  "call",
  "tool",
  "access",
  "askedAt",
  "verdict",
  "answer",
  "input",
  "display"
])

const insertGrant = insertion(grants, ["session", "tool"], "keep")

const decodeStored = decoder(
  Schema.Struct({
    ...Question.fields,
    access: questions.columns.access.schema,
    input: questions.columns.input.schema,
    display: questions.columns.display.schema,
    answer: questions.columns.answer.schema
  })
)

const decode = (row: Row): Either.Either<Question, RowDamaged> =>
  decodeStored({ sessionId: row.sessionId, seq: row.seq }, row)

/** Whether a call has that place and is in that state. */
function* isOpen(
  tx: Transaction,
  { ordinal }: SessionRow,
  { callId, seq, state }: { readonly seq: number; readonly callId: string; readonly state: string }
): Program.Program<boolean> {
  const found = yield* tx.get<object>(
    "SELECT 1 AS found FROM calls WHERE session = ? AND seq = ? AND id = ? AND state = ?",
    ordinal,
    seq,
    callId,
    state
  )
  return found !== undefined
}

export function* ask(
  tx: Transaction,
  {
    asked,
    lease
  }: { readonly lease: Lease; readonly asked: Omit<Question, "sessionId" | "runId" | "answer" | "askedAt"> }
): Program.Program<Question | null, LeaseLost | SessionDeleting | InvalidInput> {
  const session = yield* undeleted(yield* held(tx, lease))
  const { access, callId, display, id, input, seq, tool } = asked
  const state = askingState(display)
  const waiting = yield* tx.run(
    `UPDATE calls SET question = ? WHERE session = ? AND seq = ? AND id = ? AND state = ? AND NOT
       (state = 'pending' AND EXISTS (SELECT 1 FROM grants WHERE grants.session = calls.session AND grants.tool = ?))`,
    id,
    session.ordinal,
    seq,
    callId,
    state,
    tool
  )
  if (waiting === 0) {
    if (yield* isOpen(tx, session, { seq, callId, state })) return null
    return yield* Either.left(
      new InvalidInput({ field: "seq", limit: `the place of a ${state} call`, actual: `${seq}` })
    )
  }
  if (state === "pending") yield* setDisplay(tx, session, seq, display)
  yield* insert(tx, insertQuestion, {
    id,
    session: session.ordinal,
    run: session.run,
    seq,
    call: callId,
    tool,
    access,
    askedAt: tx.now,
    verdict: null,
    answer: null,
    input: JSON.stringify(input),
    display: displayText(display)
  })
  yield* record(tx, session, "permission.asked", { run: session.run, seq, ref: id })
  const { runId, sessionId } = lease
  return { ...asked, sessionId, runId, answer: null, askedAt: tx.now }
}

export function* answer(
  tx: Transaction,
  { answer, questionId }: { readonly questionId: QuestionId; readonly answer: Answer }
): Program.Program<Question, QuestionNotFound | SessionDeleting | QuestionAnswered | RowDamaged> {
  const row = yield* tx.get<Row>(`${selectQuestion} AND questions.id = ?`, questionId)
  if (row === undefined) return yield* Either.left(new QuestionNotFound({ questionId }))
  const session = yield* Program.mapRefusal(changeable(tx, row.sessionId), (refusal) =>
    refusal._tag === "SessionNotFound" ? new QuestionNotFound({ questionId }) : refusal
  )
  const question = yield* decode(row)
  if (question.answer !== null) {
    return yield* Either.left(new QuestionAnswered({ questionId, verdict: question.answer.verdict }))
  }
  yield* setAnswer(tx, session, { id: questionId, run: row.run, seq: row.seq }, answer)
  if (answer.verdict === "allow-for-session") {
    yield* insert(tx, insertGrant, { session: session.ordinal, tool: question.tool })
    yield* answerAbout(tx, session, question.tool, answer)
  }
  return { ...question, answer }
}

export const open = (
  query: Query,
  sessionId: SessionId | null,
  owner: Owner | null = null
): Effect.Effect<ReadonlyArray<Question>, StorageFailed | RowDamaged> =>
  Effect.flatMap(
    query<Row>(
      "read the questions",
      `${selectQuestion} AND questions.answer IS NULL AND (CAST(? AS TEXT) IS NULL OR session_rows.id = ?)
       AND (CAST(? AS TEXT) IS NULL OR session_rows.owner = ?) ORDER BY questions.ordinal`,
      sessionId,
      sessionId,
      owner,
      owner
    ),
    // One damaged session does not hide the questions of the others.
    (rows) => (sessionId === null ? Either.right(Array.getRights(rows.map(decode))) : Either.all(rows.map(decode)))
  )

export const find = (
  query: Query,
  questionId: QuestionId
): Effect.Effect<Question, QuestionNotFound | StorageFailed | RowDamaged> =>
  Effect.flatMap(query<Row>("read the question", `${selectQuestion} AND questions.id = ?`, questionId), ([row]) =>
    Either.flatMap(
      Either.fromNullable(row, () => new QuestionNotFound({ questionId })),
      decode
    )
  )

/** The given questions that are sound, by their ids. */
export const among = (
  query: Query,
  operation: string,
  ids: ReadonlyArray<QuestionId>
): Effect.Effect<ReadonlyMap<QuestionId, Question>, StorageFailed> =>
  Effect.map(
    query<Row>(
      operation,
      `${selectQuestion} AND questions.id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(ids)
    ),
    (rows) => new Map(Array.getRights(rows.map(decode)).map((question) => [question.id, question]))
  )

export const granted = (query: Query, sessionId: SessionId): Effect.Effect<ReadonlySet<string>, StorageFailed> =>
  Effect.map(
    query<{ readonly tool: string }>(
      "read the grants",
      `SELECT tool FROM grants JOIN session_rows ON session_rows.ordinal = grants.session
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden'`,
      sessionId
    ),
    (rows) => new Set(rows.map(({ tool }) => tool))
  )
