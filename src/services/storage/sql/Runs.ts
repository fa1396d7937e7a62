/** Runs on their way in: admitted, and started when the session is free. */
import { Either, Option } from "effect"
import type { Actor } from "../../../domain/Actor.js"
import type { Presence } from "../../../domain/Lease.js"
import type * as Limits from "../../../domain/Limits.js"
import { type Message, isFile } from "../../../domain/Message.js"
import type { RunId } from "../../../domain/Run.js"
import type { SessionId } from "../../../domain/Session.js"
import {
  AssetNotFound,
  IdempotencyConflict,
  type PlacementNotServed,
  type RowDamaged,
  type SessionDeleting,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import * as Title from "../../../domain/Title.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import * as LostResults from "./LostResults.js"
import type { Admission, AdmissionOutcome, StartedRun } from "../Storage.js"
import { decoder } from "./Decoding.js"
import { decodeRun, inState, instanceOf, newestOf, oldestQueued, reread, running, withKey } from "./RunRows.js"
import { changeable, inTheWay, raiseFence, record, served, type SessionRow } from "./SessionRow.js"
import { insert, insertion } from "./Table.js"
import { engines, runs } from "./Tables.js"
import { unlocked } from "./Unlocked.js"
import { appendEntry, nextSeq } from "./Transcripts.js"

type Refusal = SessionNotFound | SessionDeleting | RowDamaged

export function* admit(
  tx: Transaction,
  limits: Limits.Limits,
  admission: Admission
): Program<AdmissionOutcome, Refusal | IdempotencyConflict | PlacementNotServed | AssetNotFound> {
  const { hash, idempotencyKey, message, presence, runId, sessionId, textHash, whenBusy } = admission
  const session = yield* changeable(tx, sessionId)

  const earlier = idempotencyKey === null ? undefined : yield* withKey(tx, session, idempotencyKey)
  if (idempotencyKey !== null && earlier !== undefined) {
    const existing = yield* decodeRun(earlier)
    if (earlier.hash === hash || earlier.hash === textHash) {
      return { _tag: "Existing", ...(yield* decodeRun(yield* newestOf(tx, earlier))) }
    }
    return yield* Either.left(new IdempotencyConflict({ sessionId, idempotencyKey, runId: existing.run.id }))
  }

  yield* served(session, presence)
  for (const { assetId } of message.value.parts.filter(isFile)) {
    const asset = yield* tx.get("SELECT 1 FROM assets WHERE session = ? AND id = ?", session.ordinal, assetId)
    if (asset === undefined) return yield* Either.left(new AssetNotFound({ sessionId, assetId }))
  }

  const busyWith = yield* inTheWay(tx, session)
  if (busyWith === undefined) {
    yield* storeRun(tx, session, { ...admission, body: null })
    return {
      _tag: "Started",
      ...(yield* start(tx, limits, session, {
        runId,
        presence,
        message: message.value,
        body: message.json
      }))
    }
  }
  if (whenBusy === "refuse") return { _tag: "Busy", runId: busyWith.id }
  yield* storeRun(tx, session, { ...admission, body: message.json })
  const { ordinal, ...queued } = yield* inState("queued", yield* reread(tx, session, runId))
  yield* record(tx, session, "run.queued", { run: ordinal })
  return { _tag: "Queued", ...queued }
}

const decodeMessage = decoder(runs.columns.message.schema)

export function* startNext(
  tx: Transaction,
  limits: Limits.Limits,
  { presence, sessionId }: { readonly sessionId: SessionId; readonly presence: Presence }
): Program<Option.Option<StartedRun>, Refusal> {
  const session = yield* changeable(tx, sessionId)
  if ((yield* running(tx, session)) !== undefined) return Option.none()
  const next = yield* oldestQueued(tx, session)
  if (next === undefined) return Option.none()
  const { run } = yield* decodeRun(next)
  const row = yield* tx.get<{ readonly body: string | null }>(
    "SELECT message AS body FROM runs WHERE ordinal = ?",
    next.ordinal
  )
  const body = row?.body ?? null
  const message = yield* decodeMessage({ sessionId, seq: null }, body)
  return Option.some(yield* start(tx, limits, session, { runId: run.id, presence, message, body }))
}

const insertRun = insertion(runs, [
  "id",
  "session",
  "state",
  "cursor",
  "createdAt",
  "idempotencyKey",
  "hash",
  "metadata",
  "output",
  "message",
  "actor"
])

interface NewRun extends Pick<Admission, "hash" | "idempotencyKey" | "runId"> {
  /** The JSON text of a message that waits for its place; null when it has its place or there is no message. */
  readonly body: string | null
  readonly metadata: { readonly json: string }
  readonly output: { readonly json: string } | null
}

/** Stores a queued run; its actor is whoever asks for it. Its first event will be the session's next. */
export function* storeRun(
  tx: Transaction,
  session: SessionRow,
  { body, hash, idempotencyKey, metadata, output, runId }: NewRun
): Program<void> {
  yield* insert(tx, insertRun, {
    id: runId,
    session: session.ordinal,
    state: "queued",
    cursor: session.cursor,
    createdAt: tx.now,
    idempotencyKey,
    hash,
    metadata: metadata.json,
    output: output?.json ?? null,
    message: body,
    actor: tx.actor
  })
}

interface RunStart {
  readonly runId: RunId
  readonly presence: Presence
  readonly message: Message | null
  /** The message's JSON text. */
  readonly body: string | null
}

/**
 * Starts a stored run in a free session: raises the fence, appends the message, sets the title if there is none. The
 * actor of all this is the run's sender, whoever starts it.
 */
export function* start(
  tx: Transaction,
  limits: Limits.Limits,
  session: SessionRow,
  { body, message, presence, runId }: RunStart
): Program<StartedRun, RowDamaged> {
  raiseFence(tx, session)
  yield* tx.run(
    "UPDATE runs SET state = 'running', started_at = ?, engine = ?, message = NULL WHERE id = ?",
    tx.now,
    JSON.stringify(presence.engine),
    runId
  )
  yield* renewUnlessRenewing(tx, presence)
  const { ordinal, ref, run } = yield* inState("running", yield* reread(tx, session, runId))
  const { actor } = run
  yield* record(tx, session, "run.started", { run: ordinal, actor })
  yield* LostResults.close(tx, session)
  if (message !== null && body !== null) {
    yield* appendEntry(tx, session, ordinal, { seq: nextSeq(session), runId, actor, at: tx.now, message }, body)
    yield* entitle(tx, limits, session, message, actor)
  }
  return { run, ref, lease: { sessionId: session.id, runId, fence: session.fence } }
}

const insertEngine = insertion(engines, ["instance", "count", "clock", "at", "leaseMillis", "seenAt"], "keep")

const renewOne = "UPDATE engines SET count = count + 1, clock = ?, at = ?, lease_millis = ?, seen_at = ?"

/**
 * Counts a sign of life. The first sign of a new engine also removes the rows of engines that hold no run: they may be
 * dead, and a living engine counts from one again.
 */
export function* renew(tx: Transaction, presence: Presence): Program<void> {
  yield* renewBy(tx, presence, `${renewOne} WHERE instance = ?`)
}

/**
 * The same as part of another write. An engine may make such writes on several connections at the same time, and they
 * would wait for each other for as long as their groups take. So while another connection has a sign of life that is
 * not committed yet, that one counts.
 */
export function* renewUnlessRenewing(tx: Transaction, presence: Presence): Program<void> {
  yield* renewBy(
    tx,
    presence,
    `${renewOne} WHERE instance = (SELECT instance FROM engines WHERE instance = ? ${unlocked})`
  )
}

function* renewBy(
  tx: Transaction,
  { engine: { instance }, leaseMillis, sign: { at, clock } }: Presence,
  update: string
): Program<void> {
  if ((yield* tx.run(update, clock, at, leaseMillis, tx.now, instance)) > 0) return
  if ((yield* tx.get("SELECT 1 FROM engines WHERE instance = ?", instance)) !== undefined) return
  yield* tx.run(
    `DELETE FROM engines WHERE instance IN (SELECT instance FROM engines WHERE instance NOT IN
     (SELECT ${instanceOf} FROM runs WHERE runs.state = 'running' AND ${instanceOf} IS NOT NULL) ${unlocked})`
  )
  yield* insert(tx, insertEngine, { instance, count: 1, clock, at, leaseMillis, seenAt: tx.now })
}

/** Asks a running run's engine to cancel it. */
export function* requestCancel(tx: Transaction, runId: RunId): Program<boolean> {
  const asked = yield* tx.run(
    `UPDATE runs SET cancel_requested = 1, cancelled_by = CASE WHEN cancel_requested = 1 THEN cancelled_by ELSE ? END
     WHERE id = ? AND state = 'running' AND session IN (SELECT ordinal FROM session_rows WHERE state <> 'hidden')`,
    tx.actor,
    runId
  )
  if (asked > 0) tx.requestStop()
  return asked > 0
}

/** Makes the first text the title of a session that nobody has named. */
function* entitle(
  tx: Transaction,
  limits: Limits.Limits,
  session: SessionRow,
  message: Message,
  actor: Actor | null
): Program<void> {
  const title = message.role === "user" ? Title.ofMessage(message, limits) : null
  if (title === null) return
  const titled = yield* tx.run(
    "UPDATE session_rows SET title = ? WHERE ordinal = ? AND named = 0 AND title = ?",
    title,
    session.ordinal,
    Title.untitled
  )
  if (titled > 0) yield* record(tx, session, "session.renamed", { actor })
}
