/** Runs as they are stored: how they are found and decoded, in a write and by a reader. */
import { Effect, Either, Option, Schema } from "effect"
import { type Beat, EngineId, type Lease, silent } from "../../../domain/Lease.js"
import * as Run from "../../../domain/Run.js"
import { Cursor, type SessionId } from "../../../domain/Session.js"
import { RowDamaged, RunNotFound, SessionNotFound, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Transaction } from "./lane/GroupCommit.js"
import type { Activity, Holder, HeldRun } from "../Storage.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import type { SessionRow } from "./SessionRow.js"
import { select, type StoredRow } from "./Table.js"
import { engines, runs, usageNames } from "./Tables.js"

export interface RunRow extends StoredRow<typeof runs, (typeof names)[number]> {
  readonly sessionId: string
  readonly fence: number
}

/** A run's row with the newest sign of life of its engine. */
export interface HolderRow extends RunRow {
  readonly count: number | null
  readonly clock: string | null
  readonly at: number | null
}

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
  "createdAt",
  "startedAt",
  "endedAt",
  ...usageNames
] as const

const columns = `${select(runs, names)}, sessions.id AS sessionId, sessions.fence`

const selectRun = `SELECT ${columns} FROM runs JOIN sessions ON sessions.ordinal = runs.session`

const holderColumns = `${columns}, ${select(engines, ["count", "clock", "at"])}`

const withEngine = "LEFT JOIN engines ON engines.instance = json_extract(runs.engine, '$.instance')"

const rowOf = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct({ ...fields, metadata: runs.columns.metadata.schema, cursor: Cursor })

const decodeStored = decoder(
  Schema.Union(rowOf(Run.QueuedRun.fields), rowOf(Run.RunningRun.fields), rowOf(Run.EndedRun.fields))
)
const decodeEngine = decoder(Schema.parseJson(EngineId))

export const decodeRun = (row: RunRow): Either.Either<StoredRun, RowDamaged> =>
  Either.map(
    decodeStored({ sessionId: row.sessionId, seq: null }, { ...row, usage: row }),
    ({ cursor, ...run }): StoredRun => ({ run, ref: { sessionId: run.sessionId, runId: run.id, cursor } })
  )

/** A run that must be in a state, as the rows that were asked for say. */
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

/** A run that holds its session, its lease and its engine. */
const decodeHolder = (row: HolderRow): Either.Either<Holder, RowDamaged> =>
  Either.gen(function* () {
    const { run } = yield* inState("running", yield* decodeRun(row))
    const engine = yield* decodeEngine({ sessionId: row.sessionId, seq: null }, row.engine)
    return { run, lease: { sessionId: run.sessionId, runId: run.id, fence: row.fence }, engine, beat: beatOf(row) }
  })

const beatOf = ({ at, clock, count }: Pick<HolderRow, "at" | "clock" | "count">): Beat =>
  count === null || clock === null || at === null ? silent : { count, sign: { clock, at } }

/** How many signs of life an engine has given. */
export const beatsOf = (tx: Transaction, instance: string): number =>
  tx.get<{ readonly count: number }>("SELECT count FROM engines WHERE instance = ?", instance)?.count ?? 0

/** The run that holds the session. */
export const running = (tx: Transaction, { ordinal }: SessionRow): HolderRow | undefined =>
  tx.get<HolderRow>(
    `SELECT ${holderColumns} FROM runs JOIN sessions ON sessions.ordinal = runs.session ${withEngine}
     WHERE runs.session = ? AND runs.state = 'running'`,
    ordinal
  )

export const oldestQueued = (tx: Transaction, { ordinal }: SessionRow): RunRow | undefined =>
  tx.get<RunRow>(
    `${selectRun} WHERE runs.session = ? AND runs.state <> 'ended' AND runs.state = 'queued' ORDER BY runs.ordinal`,
    ordinal
  )

export const withKey = (tx: Transaction, { ordinal }: SessionRow, idempotencyKey: string): RunRow | undefined =>
  tx.get<RunRow>(`${selectRun} WHERE runs.session = ? AND runs.idempotency_key = ?`, ordinal, idempotencyKey)

/** A run that this write stored or found, as it now is. */
export const reread = (
  tx: Transaction,
  { id }: SessionRow,
  runId: string
): Either.Either<StoredRun & { readonly ordinal: number }, RowDamaged> =>
  Either.flatMap(
    Either.fromNullable(
      tx.get<RunRow>(`${selectRun} WHERE runs.id = ?`, runId),
      () => new RowDamaged({ sessionId: id, seq: null, detail: "a run is missing" })
    ),
    (row) => Either.map(decodeRun(row), (stored) => ({ ...stored, ordinal: row.ordinal }))
  )

export const find = (
  query: Query,
  runId: Run.RunId
): Effect.Effect<StoredRun, RunNotFound | StorageFailed | RowDamaged> =>
  Effect.flatMap(
    query<RunRow>("read the run", `${selectRun} WHERE runs.id = ? AND sessions.state <> 'hidden'`, runId),
    ([row]) =>
      Either.flatMap(
        Either.fromNullable(row, () => new RunNotFound({ runId })),
        decodeRun
      )
  )

export const activity = (
  query: Query,
  sessionId: SessionId
): Effect.Effect<Activity, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<HolderRow | { readonly state: null }>(
      "read the runs",
      `SELECT ${holderColumns}
       FROM sessions LEFT JOIN runs ON runs.session = sessions.ordinal AND runs.state <> 'ended' ${withEngine}
       WHERE sessions.id = ? AND sessions.state <> 'hidden' ORDER BY runs.ordinal`,
      sessionId
    )
    if (rows.length === 0) return yield* new SessionNotFound({ sessionId })
    const runs = rows.filter((row) => row.state !== null)
    const holding = runs.find(({ state }) => state === "running")
    const holder = holding === undefined ? Option.none() : Option.some(yield* decodeHolder(holding))
    const waiting = runs.filter((row) => row !== holding).map((row) => Either.flatMap(decodeRun(row), isQueued))
    const queued = yield* Either.all(waiting)
    return { holder, queued: queued.map(({ run }) => run) }
  })

/** A running run has an entry in a small index of its own. */
export const heldRuns = (query: Query, instance: string): Effect.Effect<ReadonlyArray<HeldRun>, StorageFailed> =>
  Effect.map(
    query<Lease & { readonly isDeleting: number; readonly isCancelled: number }>(
      "read the held runs",
      `SELECT session_rows.id AS sessionId, runs.id AS runId, session_rows.fence,
         session_rows.state <> 'live' AS isDeleting, runs.cancel_requested AS isCancelled
       FROM runs JOIN session_rows ON session_rows.ordinal = runs.session
       WHERE runs.state = 'running' AND json_extract(runs.engine, '$.instance') = ?`,
      instance
    ),
    (rows) =>
      rows.map(({ isCancelled, isDeleting, ...lease }) => ({
        lease,
        stopRequest: isDeleting === 1 ? "deleted" : isCancelled === 1 ? "cancelled" : null
      }))
  )
