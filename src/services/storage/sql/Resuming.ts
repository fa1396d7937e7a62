/** Going on without a new message: from the transcript as it is, in a run that stands for the one before it. */
import { Either } from "effect"
import type * as Limits from "../../../domain/Limits.js"
import {
  InvalidInput,
  type PlacementNotServed,
  type RowDamaged,
  RunNotFound,
  type SessionDeleting,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { AdmissionOutcome, Resumption } from "../Storage.js"
import { decodeRun, newest, newestOf, type RunRow, withId, withKey } from "./RunRows.js"
import { start, storeRun } from "./Runs.js"
import { changeable, inTheWay, served, type SessionRow } from "./SessionRow.js"

type Outcome = Exclude<AdmissionOutcome, { readonly _tag: "Queued" }>

export function* resume(
  tx: Transaction,
  limits: Limits.Limits,
  { of, presence, runId, sessionId }: Resumption
): Program<Outcome, SessionNotFound | SessionDeleting | RowDamaged | RunNotFound | InvalidInput | PlacementNotServed> {
  const session = yield* changeable(tx, sessionId)
  const last = yield* newest(tx, session)
  const before = yield* named(tx, session, of, last)
  if (before !== undefined && (of === "newest" ? yield* isAnswered(tx, session, before) : isSettled(before, last))) {
    return { _tag: "Existing", ...(yield* decodeRun(before)) }
  }
  yield* served(session, presence)
  const busyWith = yield* inTheWay(tx, session)
  if (busyWith !== undefined) return { _tag: "Busy", runId: busyWith.id }
  const metadata = { json: before?.metadata ?? "{}" }
  const output = before === undefined || before.output === null ? null : { json: before.output }
  yield* storeRun(tx, session, { runId, body: null, metadata, output, idempotencyKey: null, hash: "" })
  const started = yield* start(tx, limits, session, { runId, presence, message: null, body: null })
  if (before !== undefined) {
    yield* tx.run(
      "UPDATE runs SET resumed_by = (SELECT ordinal FROM runs WHERE id = ?) WHERE ordinal = ?",
      runId,
      before.ordinal
    )
  }
  return { _tag: "Started", ...started }
}

/** The run to go on with: the named one, or the last that went on with it. */
function* named(
  tx: Transaction,
  session: SessionRow,
  of: Resumption["of"],
  last: RunRow | undefined
): Program<RunRow | undefined, RunNotFound | InvalidInput> {
  if (of === "newest") return last
  const row = "runId" in of ? yield* withId(tx, session, of.runId) : yield* withKey(tx, session, of.idempotencyKey)
  if (row !== undefined) return yield* newestOf(tx, row)
  return yield* Either.left(
    "runId" in of
      ? new RunNotFound({ runId: of.runId })
      : new InvalidInput({ field: "of.idempotencyKey", limit: "the key of a message", actual: of.idempotencyKey })
  )
}

/** Whether a named run needs no resuming: it is not over, has its answer, or the session went on without it. */
const isSettled = (run: RunRow, last: RunRow | undefined): boolean =>
  run.state !== "ended" || run.stopReason === "completed" || run.ordinal !== last?.ordinal

/** Whether the newest run needs no resuming: it has its answer, and nothing was appended since. */
function* isAnswered(tx: Transaction, session: SessionRow, run: RunRow): Program<boolean> {
  const end = yield* tx.get<{ readonly run: number | null }>(
    "SELECT run FROM messages WHERE session = ? AND seq = ?",
    session.ordinal,
    session.head
  )
  return run.stopReason === "completed" && end?.run === run.ordinal
}
