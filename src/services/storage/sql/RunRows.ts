/** Runs as they are stored: how they are found and decoded, in a write and by a reader. */
import { Array, Effect, Either, Option, Schema } from "effect"
import { Actor } from "../../../domain/Actor.js"
import { type Beat, Lease, silent } from "../../../domain/Lease.js"
import * as Run from "../../../domain/Run.js"
import { SessionId } from "../../../domain/Session.js"
import * as Stored from "../../../domain/Stored.js"
import { RowDamaged, RunNotFound, SessionNotFound, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Program, Statement } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import type { Activity, Holder, HeldRun, LeftSince, Occupancy, Tenancy, UnsettledSession } from "../Storage.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import type { SessionRow } from "./SessionRow.js"
import { select, type StoredRow } from "./Table.js"
import { engines, runs, sessionRows, usageNames } from "./Tables.js"

export interface RunRow extends StoredRow<typeof runs, (typeof names)[number]> {
  readonly sessionId: string
  readonly fence: number
}

/** The newest sign of life of a run's engine; nulls when there is none. */
interface BeatRow {
  readonly count: number | null
  readonly clock: string | null
  readonly at: number | null
  readonly leaseMillis: number | null
  readonly seenAt: number | null
}

/** A run's row with the newest sign of life of its engine. */
export interface HolderRow extends RunRow, BeatRow {}

export interface StoredRun {
  readonly run: Run.Run
  readonly ref: Run.Ref
}

const names = [
  "ordinal",
  "id",
  "state",
  "cursor",
  "engine",
  "hash",
  "stopReason",
  "detail",
  "metadata",
  "output",
  "createdAt",
  "startedAt",
  "endedAt",
  "releasedAt",
  "actor",
  ...usageNames
] as const

const columns = `${select(runs, names)}, session_rows.id AS "sessionId", session_rows.fence`

const selectRun = `SELECT ${columns} FROM runs JOIN session_rows ON session_rows.ordinal = runs.session`

const beatColumns = select(engines, ["count", "clock", "at", "leaseMillis", "seenAt"])

const holderColumns = `${columns}, ${beatColumns}`

/** The engine of a run; null for a run that was released, and where the column is damaged. */
export const instanceOf = "CASE WHEN json_valid(runs.engine) THEN json_extract(runs.engine, '$.instance') END"

export const withEngine = `LEFT JOIN engines ON engines.instance = ${instanceOf}`

const rowOf = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct({ ...fields, metadata: runs.columns.metadata.schema, output: runs.columns.output.schema })

const decodeStored = decoder(
  Schema.Union(rowOf(Run.QueuedRun.fields), rowOf(Run.RunningRun.fields), rowOf(Run.EndedRun.fields))
)
const decodeEngine = decoder(runs.columns.engine.schema)

export const decodeRun = (row: RunRow): Either.Either<StoredRun, RowDamaged> =>
  Either.map(
    decodeStored({ sessionId: row.sessionId, seq: null }, { ...Stored.run(row), usage: row }),
    (run): StoredRun => ({ run, ref: Run.refOf(run) })
  )

/** A run in the state that its query asked for, else `RowDamaged`. */
export const inState = <S extends Run.State, Stored extends StoredRun>(
  state: S,
  stored: Stored
): Either.Either<Stored & { readonly run: Extract<Run.Run, { readonly state: S }> }, RowDamaged> => {
  const { run } = stored
  return Run.isIn(state)(run)
    ? Either.right({ ...stored, run })
    : Either.left(new RowDamaged({ sessionId: run.sessionId, seq: null, detail: `a run is not ${state}` }))
}

const isQueued = (stored: StoredRun) => inState("queued", stored)

/** A run that holds its session, with its lease and, unless it was released, its engine. */
const decodeHolder = (row: HolderRow): Either.Either<Holder, RowDamaged> =>
  Either.gen(function* () {
    const { run } = yield* inState("running", yield* decodeRun(row))
    const engine = yield* decodeEngine({ sessionId: row.sessionId, seq: null }, row.engine)
    return { run, lease: { sessionId: run.sessionId, runId: run.id, fence: row.fence }, engine, beat: beatOf(row) }
  })

const beatOf = ({ at, clock, count, leaseMillis, seenAt }: BeatRow): Beat =>
  count === null || clock === null || at === null ? silent : { count, sign: { clock, at }, leaseMillis, seenAt }

/** How many signs of life an engine has given. */
export function* beatsOf(tx: Transaction, instance: string): Program<number> {
  const beat = yield* tx.get<{ readonly count: number }>("SELECT count FROM engines WHERE instance = ?", instance)
  return beat?.count ?? 0
}

/** The run that holds the session. */
export const running = (tx: Transaction, { ordinal }: SessionRow): Statement<HolderRow | undefined> =>
  tx.get<HolderRow>(
    `SELECT ${holderColumns} FROM runs JOIN session_rows ON session_rows.ordinal = runs.session ${withEngine}
     WHERE runs.session = ? AND runs.state = 'running'`,
    ordinal
  )

export const oldestQueued = (tx: Transaction, { ordinal }: SessionRow): Statement<RunRow | undefined> =>
  tx.get<RunRow>(
    `${selectRun} WHERE runs.session = ? AND runs.state <> 'ended' AND runs.state = 'queued' ORDER BY runs.ordinal`,
    ordinal
  )

/** The newest run that has begun. */
export const newest = (tx: Transaction, { ordinal }: SessionRow): Statement<RunRow | undefined> =>
  tx.get<RunRow>(
    `${selectRun} WHERE runs.session = ? AND runs.started_at IS NOT NULL ORDER BY runs.ordinal DESC`,
    ordinal
  )

/** The last of the runs that went on with a run, one after the other; the run itself when none did. */
export function* newestOf(tx: Transaction, run: RunRow): Program<RunRow> {
  const next = yield* tx.get<RunRow>(
    `${selectRun} WHERE runs.ordinal = (SELECT resumed_by FROM runs WHERE ordinal = ?) AND runs.ordinal > ?`,
    run.ordinal,
    run.ordinal
  )
  return next === undefined ? run : yield* newestOf(tx, next)
}

export const withId = (tx: Transaction, { ordinal }: SessionRow, runId: string): Statement<RunRow | undefined> =>
  tx.get<RunRow>(`${selectRun} WHERE runs.session = ? AND runs.id = ?`, ordinal, runId)

export const withKey = (
  tx: Transaction,
  { ordinal }: SessionRow,
  idempotencyKey: string
): Statement<RunRow | undefined> =>
  tx.get<RunRow>(`${selectRun} WHERE runs.session = ? AND runs.idempotency_key = ?`, ordinal, idempotencyKey)

/** A run that this write stored or found, as it now is. */
export function* reread(
  tx: Transaction,
  { id }: SessionRow,
  runId: string
): Program<StoredRun & { readonly ordinal: number }, RowDamaged> {
  const row = yield* Either.fromNullable(
    yield* tx.get<RunRow>(`${selectRun} WHERE runs.id = ?`, runId),
    () => new RowDamaged({ sessionId: id, seq: null, detail: "a run is missing" })
  )
  return { ...(yield* decodeRun(row)), ordinal: row.ordinal }
}

/** Runs of a session, the newest first. */
export const list = (
  query: Query,
  { before, idempotencyKey, limit = 50, sessionId }: Run.RunQuery
): Effect.Effect<ReadonlyArray<Run.Run>, SessionNotFound | RunNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const [place] = yield* query<{ readonly session: number; readonly before: number | null }>(
      "find the runs",
      `SELECT session_rows.ordinal AS session, runs.ordinal AS before FROM session_rows
       LEFT JOIN runs ON runs.session = session_rows.ordinal AND runs.id = ?
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden'`,
      before ?? "",
      sessionId
    )
    if (place === undefined) return yield* new SessionNotFound({ sessionId })
    if (before !== undefined && place.before === null) return yield* new RunNotFound({ runId: before })
    const rows = yield* query<RunRow>(
      "read the runs",
      `${selectRun} WHERE runs.session = ? AND runs.ordinal < ? ${idempotencyKey === undefined ? "" : "AND runs.idempotency_key = ?"}
       ORDER BY runs.ordinal DESC LIMIT ?`,
      place.session,
      place.before ?? Number.MAX_SAFE_INTEGER,
      ...(idempotencyKey === undefined ? [] : [idempotencyKey]),
      Math.min(Math.max(limit, 1), 500)
    )
    return (yield* Either.all(rows.map(decodeRun))).map(({ run }) => run)
  })

export const find = (
  query: Query,
  runId: Run.RunId
): Effect.Effect<StoredRun, RunNotFound | StorageFailed | RowDamaged> =>
  Effect.flatMap(
    query<RunRow>("read the run", `${selectRun} WHERE runs.id = ? AND session_rows.state <> 'hidden'`, runId),
    ([row]) =>
      Either.flatMap(
        Either.fromNullable(row, () => new RunNotFound({ runId })),
        decodeRun
      )
  )

const decodePlacement = decoder(sessionRows.columns.placement.schema)

interface PlacedRow {
  readonly placement: string | null
}

export const activity = (
  query: Query,
  sessionId: SessionId
): Effect.Effect<Activity, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<HolderRow | { readonly state: null }>(
      "read the runs",
      `SELECT ${holderColumns}
       FROM session_rows LEFT JOIN runs ON runs.session = session_rows.ordinal AND runs.state <> 'ended' ${withEngine}
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden' ORDER BY runs.ordinal`,
      sessionId
    )
    const [first] = rows
    if (first === undefined) return yield* new SessionNotFound({ sessionId })
    const runs = rows.filter((row) => row.state !== null)
    const holding = runs.find(({ state }) => state === "running")
    const holder = holding === undefined ? Option.none() : Option.some(yield* decodeHolder(holding))
    const waiting = runs.filter((row) => row !== holding).map((row) => Either.flatMap(decodeRun(row), isQueued))
    const queued = yield* Either.all(waiting)
    return { holder, queued: queued.map(({ run }) => run) }
  })

/** Whether a call of the run waits that has its answer. */
const isAnswered = `EXISTS (SELECT 1 FROM calls JOIN questions ON questions.id = calls.question
  WHERE calls.session = runs.session AND calls.state = 'pending' AND questions.answer IS NOT NULL)`

interface OccupancyRow extends PlacedRow {
  readonly hasQueued: number
  readonly isAnswered: number
}

export const occupancy = (
  query: Query,
  sessionId: SessionId
): Effect.Effect<Occupancy, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const [row] = yield* query<OccupancyRow & (HolderRow | { readonly state: null })>(
      "read who holds the session",
      `SELECT ${holderColumns}, session_rows.placement, CAST(EXISTS (SELECT 1 FROM runs AS waiting
         WHERE waiting.session = session_rows.ordinal AND waiting.state <> 'ended' AND waiting.state = 'queued')
         AS INTEGER) AS "hasQueued", CAST(${isAnswered} AS INTEGER) AS "isAnswered"
       FROM session_rows LEFT JOIN runs ON runs.session = session_rows.ordinal AND runs.state = 'running' ${withEngine}
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden'`,
      sessionId
    )
    if (row === undefined) return yield* new SessionNotFound({ sessionId })
    return {
      placement: yield* decodePlacement({ sessionId, seq: null }, row.placement),
      holder: row.state === null ? Option.none() : Option.some(yield* decodeHolder(row)),
      hasQueued: row.hasQueued === 1,
      isAnswered: row.isAnswered === 1
    }
  })

/** A session and the hold of its run; nulls when none holds it. */
export interface TenancyRow extends BeatRow {
  readonly sessionId: string
  readonly fence: number
  readonly runId: string | null
  readonly engine: string | null
}

export const tenancyColumns = `session_rows.fence, runs.id AS "runId", runs.engine, ${beatColumns}`

/** One damaged row does not hide the others: its session is claimed when a client asks for it, which gets the error. */
export const unsettled = (
  query: Query,
  { released, silent }: LeftSince
): Effect.Effect<ReadonlyArray<UnsettledSession>, StorageFailed> =>
  Effect.map(
    query<TenancyRow & PlacedRow>(
      "read the sessions with runs that have not ended",
      `SELECT session_rows.id AS "sessionId", session_rows.placement, ${tenancyColumns}
       FROM (SELECT waiting.session, min(waiting.ordinal) AS oldest FROM runs AS waiting
         WHERE waiting.state <> 'ended' GROUP BY waiting.session) AS active
       JOIN session_rows ON session_rows.ordinal = active.session AND session_rows.state = 'live'
       LEFT JOIN runs ON runs.session = active.session AND runs.state = 'running' ${withEngine}
       WHERE runs.id IS NULL OR CASE WHEN runs.released_at IS NOT NULL THEN runs.released_at >= ?
         ELSE coalesce(engines.seen_at, runs.started_at) >= ? END OR ${isAnswered}
       ORDER BY active.oldest`,
      released,
      silent
    ),
    (rows) => Array.getRights(rows.map(decodeUnsettled))
  )

/** Damaged rows are left out here too: each is reported where it is read by itself. */
export const tenancies = (query: Query): Effect.Effect<ReadonlyArray<Tenancy>, StorageFailed> =>
  Effect.map(
    query<TenancyRow>(
      "read the leases",
      `SELECT session_rows.id AS "sessionId", ${tenancyColumns}
       FROM runs JOIN session_rows ON session_rows.ordinal = runs.session AND session_rows.state <> 'hidden' ${withEngine}
       WHERE runs.state = 'running'`
    ),
    (rows) => Array.filterMap(rows, (row) => Option.fromNullable(tenancyOf(row)))
  )

const decodeLease = decoder(Lease)
const decodeId = decoder(SessionId)

const decodeTenancy = (row: TenancyRow): Either.Either<Tenancy | null, RowDamaged> =>
  Either.gen(function* () {
    const where = { sessionId: row.sessionId, seq: null }
    if (row.runId === null) return null
    const lease = yield* decodeLease(where, row)
    return { lease, engine: yield* decodeEngine(where, row.engine), beat: beatOf(row) }
  })

/** The hold of a session's run; null without one, and when its row is damaged. */
export const tenancyOf = (row: TenancyRow): Tenancy | null => Either.getOrElse(decodeTenancy(row), () => null)

const decodeUnsettled = (row: TenancyRow & PlacedRow): Either.Either<UnsettledSession, RowDamaged> =>
  Either.all({
    sessionId: decodeId({ sessionId: row.sessionId, seq: null }, row.sessionId),
    placement: decodePlacement({ sessionId: row.sessionId, seq: null }, row.placement),
    tenancy: decodeTenancy(row)
  })

/** Whether a stored text is a valid actor; a damaged one counts as nobody. */
export const isActor = Schema.is(Actor)

/** Running runs have a small index of their own. */
export const heldRuns = (query: Query, instance: string): Effect.Effect<ReadonlyArray<HeldRun>, StorageFailed> =>
  Effect.map(
    query<Lease & { readonly isDeleting: number; readonly isCancelled: number; readonly cancelledBy: string | null }>(
      "read the held runs",
      `SELECT session_rows.id AS "sessionId", runs.id AS "runId", session_rows.fence,
         CAST(session_rows.state <> 'live' AS INTEGER) AS "isDeleting", runs.cancel_requested AS "isCancelled",
         runs.cancelled_by AS "cancelledBy"
       FROM runs JOIN session_rows ON session_rows.ordinal = runs.session
       WHERE runs.state = 'running' AND ${instanceOf} = ?`,
      instance
    ),
    (rows) =>
      rows.map(({ cancelledBy, isCancelled, isDeleting, ...lease }) => ({
        lease,
        cancelledBy: isActor(cancelledBy) ? cancelledBy : null,
        stopRequest: isDeleting === 1 ? "deleted" : isCancelled === 1 ? "cancelled" : null
      }))
  )
