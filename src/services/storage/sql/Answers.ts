/** Stores answers to questions, each with its event. */
import { type Answer, overtaken } from "../../../domain/Permission.js"
import type { OpenCall } from "../../../domain/OpenBatch.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { record, type SessionRow } from "./SessionRow.js"

/** An open question. */
interface OpenQuestion {
  readonly id: string
  readonly run: number
  readonly seq: number
}

interface ShownQuestion extends OpenQuestion {
  readonly display: string | null
}

/**
 * Whether a question is an inquiry, not about whether its call may run. In JSON only a field can match: quotes within
 * strings are escaped.
 */
const isInquiry = ({ display }: ShownQuestion): boolean => display?.includes('"inquiry":') === true

/** Answers the session's open questions about whether a tool may run, oldest first. */
export function* answerAbout(tx: Transaction, session: SessionRow, tool: string, answer: Answer): Program<void> {
  const open = yield* tx.all<ShownQuestion>(
    "SELECT id, run, seq, display FROM questions WHERE session = ? AND tool = ? AND answer IS NULL ORDER BY ordinal",
    session.ordinal,
    tool
  )
  for (const question of open) if (!isInquiry(question)) yield* setAnswer(tx, session, question, answer)
}

/** Answers all open questions of a run, oldest first. */
export function* answerOpen(tx: Transaction, session: SessionRow, run: number, answer: Answer): Program<void> {
  const open = yield* tx.all<OpenQuestion>(
    "SELECT id, run, seq FROM questions WHERE session = ? AND run = ? AND answer IS NULL ORDER BY ordinal",
    session.ordinal,
    run
  )
  for (const question of open) yield* setAnswer(tx, session, question, answer)
}

/** Answers the open questions that ending calls have asked, in call order. */
export function* answerOvertaken(
  tx: Transaction,
  session: SessionRow,
  calls: ReadonlyArray<Pick<OpenCall, "questionId" | "state">>
): Program<void> {
  const asked = calls.flatMap(({ questionId, state }) =>
    state === "pending" || questionId === null ? [] : [questionId]
  )
  if (asked.length === 0) return
  const open = yield* tx.all<OpenQuestion>(
    "SELECT id, run, seq FROM questions WHERE id IN (SELECT value FROM json_each(?)) AND answer IS NULL ORDER BY seq",
    JSON.stringify(asked)
  )
  for (const question of open) yield* setAnswer(tx, session, question, overtaken)
}

export function* setAnswer(
  tx: Transaction,
  session: SessionRow,
  { id, run, seq }: OpenQuestion,
  answer: Answer
): Program<void> {
  yield* tx.run("UPDATE questions SET verdict = ?, answer = ? WHERE id = ?", answer.verdict, JSON.stringify(answer), id)
  yield* record(tx, session, "permission.answered", { run, seq, ref: id })
}
