/**
 * Lists of sessions, page by page. Few sessions have a run that has not ended, and a small index has those runs: a
 * query for such sessions only begins with that index. A page by activity follows the index of seconds; only the
 * sessions of the same second are sorted while it is read.
 */
import { Array, Effect, Either, Option } from "effect"
import { storedOf } from "../../../domain/SessionActivity.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import type { Turn } from "../../EventLoop.js"
import type { ListQuery, StoredActivity, StoredPage } from "../Storage.js"
import type { Query } from "./Query.js"
import { tenancyColumns, tenancyOf, type TenancyRow, withEngine } from "./RunRows.js"
import { decode, listedColumns, type Row } from "./Sessions.js"

const unended = "SELECT unended.session FROM runs AS unended WHERE unended.state <> 'ended'"

/** Joins the run that holds a session to the session's row. */
export const withHolder = `LEFT JOIN runs ON runs.session = session_rows.ordinal AND runs.state = 'running' ${withEngine}`

/** What a session does. */
export const activity = `CASE
  WHEN runs.id IS NULL THEN CASE WHEN session_rows.ordinal IN (${unended}) THEN 'queued' ELSE 'idle' END
  WHEN session_rows.ordinal IN (SELECT questions.session FROM questions WHERE questions.answer IS NULL) THEN 'asks'
  ELSE 'running' END`

interface Condition {
  readonly text: string
  readonly parameters: ReadonlyArray<string | number>
}

/** An import leaves the time of the last change as it was, and has an event of its own. */
const isSince = `(session_rows.updated_at >= ? OR EXISTS (SELECT 1 FROM event_rows
  WHERE event_rows.session = session_rows.ordinal AND event_rows.cursor = session_rows.cursor AND event_rows.at >= ?))`

/** The beginning of a text, short enough for an index of any database. */
export const beginningOf = (text: string): string => `substr(${text}, 1, 500)`

/** The first character that comes after all characters of ids. */
const afterIds = "{"

/**
 * The conditions that a session must meet. Each filter is a condition of its own, so that an index finds the sessions
 * of an owner or a folder.
 */
const conditions = ({
  activity: wanted,
  crashed,
  idPrefix,
  owner,
  parent,
  placement,
  since,
  title,
  workdir
}: ListQuery): ReadonlyArray<Condition> => {
  const when = (value: string | undefined, text: string): ReadonlyArray<Condition> =>
    value === undefined ? [] : [{ text, parameters: [value] }]
  return [
    ...when(workdir, "session_rows.workdir = ?"),
    ...when(workdir, `${beginningOf("session_rows.workdir")} = ${beginningOf("?")}`),
    ...when(owner, "session_rows.owner = ?"),
    ...when(parent, "session_rows.parent = ?"),
    ...when(placement, "session_rows.placement = ?"),
    ...when(idPrefix, "session_rows.id >= ?"),
    ...when(idPrefix === undefined ? undefined : idPrefix + afterIds, "session_rows.id < ?"),
    ...when(title, "instr(lower(session_rows.title), lower(?)) > 0"),
    ...(since === undefined ? [] : [{ text: isSince, parameters: [since, since] }]),
    ...(wanted === undefined ? [] : doing(wanted, crashed ?? []))
  ]
}

const isOneOf = "IN (SELECT value FROM json_each(?))"

/** The conditions on what a session does. */
const doing = (
  wanted: NonNullable<ListQuery["activity"]>,
  crashed: NonNullable<ListQuery["crashed"]>
): ReadonlyArray<Condition> => {
  const stored = storedOf(wanted)
  const [wantsRunning, wantsCrashed] = [wanted.includes("running"), wanted.includes("crashed")]
  const left = crashed.map(({ fence, runId }) => `${runId} ${fence}`)
  return [
    ...(stored.includes("idle") ? [] : [{ text: `session_rows.ordinal IN (${unended})`, parameters: [] }]),
    { text: `${activity} ${isOneOf}`, parameters: [JSON.stringify(stored)] },
    ...(wantsRunning === wantsCrashed
      ? []
      : [
          {
            text: `(${activity} <> 'running' OR runs.id || ' ' || session_rows.fence ${wantsRunning ? "NOT " : ""}${isOneOf})`,
            parameters: [JSON.stringify(left)]
          }
        ])
  ]
}

const visibleOnly = "session_rows.state <> 'hidden'"

/** Counts all sessions by their small index. */
const countAll = `SELECT count(*) - (SELECT count(*) FROM session_rows WHERE state <> 'live' AND state = 'hidden') AS total
  FROM session_rows`

interface Order {
  /** What comes after a place. */
  readonly beyond: string
  readonly by: string
  /** The same for the rows of a page. */
  readonly ofPage: string
  readonly parameters: (after: ReadonlyArray<number>) => ReadonlyArray<number>
}

const last = Number.MAX_SAFE_INTEGER

/** `ordinal` is the column of the ordinal, or an expression of it that no index has. */
const byCreation = (ordinal: string): Order => ({
  beyond: `${ordinal} < ?`,
  by: `${ordinal} DESC`,
  ofPage: "page.ordinal DESC",
  parameters: ([ordinal = last]) => [ordinal]
})

/** `second` is the column of the second, or an expression of it that no index has. */
const byActivity = (second: string): Order => ({
  beyond: `(${second}, session_rows.updated_at, session_rows.ordinal) < (?, ?, ?)`,
  by: `${second} DESC, session_rows.updated_at DESC, session_rows.ordinal DESC`,
  ofPage: 'page."activeAt" DESC, page."updatedAt" DESC, page.ordinal DESC',
  parameters: ([ordinal = last, activeAt = last, updatedAt = last]) => [activeAt, updatedAt, ordinal]
})

/** Whatever finds few sessions comes before the order. */
const orderOf = ({ activity, idPrefix, order, parent, workdir }: ListQuery): Order => {
  if (order !== "activity") return byCreation(idPrefix === undefined ? "session_rows.ordinal" : "+session_rows.ordinal")
  const isFound =
    workdir !== undefined || parent !== undefined || idPrefix !== undefined || activity?.includes("idle") === false
  return byActivity(isFound ? "+session_rows.active_at" : "session_rows.active_at")
}

interface ListRow extends Omit<Row, "metadata">, TenancyRow {
  /** Null where it is long. */
  readonly metadata: string | null
  readonly activity: StoredActivity
  readonly activeAt: number
}

const placeOf = ({ activeAt, ordinal, updatedAt }: ListRow): string => [ordinal, activeAt, updatedAt].join(".")

/**
 * The most bytes of metadata that are read with their session, for how many sessions longer metadata is read at a time,
 * and how many characters are decoded between two turns of the event loop.
 */
const metadata = { short: 1024, longAtOnce: 16, decodedAtOnce: 512 * 1024 }

const listed = `${listedColumns},
  CASE WHEN octet_length(session_rows.metadata) <= ${metadata.short} THEN session_rows.metadata END AS metadata`

/** Reads long metadata, by the ordinals of sessions: some at a time, each time after a turn of the event loop. */
const longMetadata = (query: Query, turn: Turn, ordinals: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const found = new Map<number, string>()
    for (let from = 0; from < ordinals.length; from += metadata.longAtOnce) {
      yield* turn
      const rows = yield* query<{ readonly ordinal: number; readonly metadata: string }>(
        "list the sessions",
        "SELECT ordinal, metadata FROM session_rows WHERE ordinal IN (SELECT CAST(value AS BIGINT) FROM json_each(?))",
        JSON.stringify(ordinals.slice(from, from + metadata.longAtOnce))
      )
      for (const { metadata, ordinal } of rows) found.set(ordinal, metadata)
    }
    return found
  })

/** Reads one row more than a page, to see whether another follows. Each row carries the total that was asked for. */
export const page = (query: Query, turn: Turn, asked: ListQuery): Effect.Effect<StoredPage, StorageFailed> => {
  const { after, limit = 50, total } = asked
  const size = Math.min(Math.max(limit, 1), 500)
  const order = orderOf(asked)
  const wanted = conditions(asked)
  const parameters = wanted.flatMap(({ parameters }) => parameters)
  const matching = [visibleOnly, ...wanted.map(({ text }) => text)].join(" AND ")
  const page = `SELECT ${listed}, session_rows.active_at AS "activeAt", session_rows.id AS "sessionId", ${tenancyColumns}, ${activity} AS activity
    FROM session_rows ${withHolder} WHERE ${matching} AND ${order.beyond} ORDER BY ${order.by} LIMIT ?`
  const bounds = [...order.parameters(after?.split(".").map(Number) ?? []), size + 1]
  const count =
    wanted.length === 0 ? countAll : `SELECT count(*) AS total FROM session_rows ${withHolder} WHERE ${matching}`
  const rows =
    total === true
      ? query<(ListRow | { readonly ordinal: null }) & { readonly total?: number }>(
          "list the sessions",
          `SELECT counted.total, page.* FROM (${count}) AS counted LEFT JOIN (${page}) AS page ON true ORDER BY ${order.ofPage}`,
          ...parameters,
          ...parameters,
          ...bounds
        )
      : query<ListRow & { readonly total?: number }>("list the sessions", page, ...parameters, ...bounds)
  return Effect.gen(function* () {
    const read = yield* rows
    const found = read.filter((row) => row.ordinal !== null)
    const shown = found.slice(0, size)
    const long = shown.flatMap(({ metadata, ordinal }) => (metadata === null ? [ordinal] : []))
    const texts = yield* longMetadata(query, turn, long)
    const decoded: Array<Either.Either<StoredPage["sessions"][number], StoredPage["damaged"][number]>> = []
    let characters = 0
    for (const row of shown) {
      const text = row.metadata ?? texts.get(row.ordinal)
      // A session that was removed meanwhile is left out.
      if (text === undefined) continue
      characters += text.length
      if (characters > metadata.decodedAtOnce) {
        characters = text.length
        yield* turn
      }
      const session = decode({ ...row, metadata: text })
      decoded.push(Either.map(session, (one) => ({ ...one, activity: row.activity, tenancy: tenancyOf(row) })))
    }
    const [damaged, sessions] = Array.separate(decoded)
    return {
      sessions,
      damaged,
      next: found.length > size ? Option.getOrNull(Option.map(Array.last(shown), placeOf)) : null,
      ...(total === true ? { total: read[0]?.total ?? 0 } : {})
    }
  })
}
