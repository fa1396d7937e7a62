/**
 * A session as an export has it. One statement finds what is settled of it: the last place before a step with open
 * calls, and the runs so far. The pages that follow read rows that no longer change.
 */
import { Chunk, Effect, Either, Option, Schema, Stream } from "effect"
import * as Export from "../../../domain/Export.js"
import type { SessionId } from "../../../domain/Session.js"
import * as SkeinError from "../../../domain/SkeinError.js"
import * as Usage from "../../../domain/Usage.js"
import type { Turn } from "../../EventLoop.js"
import * as AssetRows from "./AssetRows.js"
import { decoder, parse } from "./Decoding.js"
import type { Query } from "./Query.js"
import { names } from "./Sessions.js"
import { select, sqlName, type StoredRow } from "./Table.js"
import { appendKeys, messages, questions, runs, sessionRows, usageNames } from "./Tables.js"

const operation = "read the session"

type Refused = SkeinError.StorageFailed | SkeinError.RowDamaged

const sessionNames = [...names, "metadata"] as const

interface SessionColumns extends StoredRow<typeof sessionRows, (typeof sessionNames)[number]> {
  /** Null while no call is open. */
  readonly settled: number | null
  readonly newestRun: number
  /** The ordinals of the runs that wait, as a JSON array. */
  readonly queued: string
  readonly goingRun: number | null
  readonly going: string | null
  /** The usage columns of the run that goes on, as a JSON array. */
  readonly goingUsage: string | null
}

const ofRuns = (expression: string, more = ""): string =>
  `(SELECT ${expression} FROM runs WHERE runs.session = session_rows.ordinal${more})`

const running = " AND runs.state = 'running'"

const snapshot = `SELECT ${select(sessionRows, sessionNames)},
  (SELECT calls.seq - calls.position - 2 FROM calls WHERE calls.session = session_rows.ordinal
    ORDER BY calls.seq LIMIT 1) AS settled,
  ${ofRuns("coalesce(max(runs.ordinal), 0)")} AS "newestRun",
  ${ofRuns("coalesce(json_group_array(runs.ordinal), '[]')", " AND runs.state = 'queued'")} AS queued,
  ${ofRuns("runs.ordinal", running)} AS "goingRun",
  ${ofRuns("runs.id", running)} AS going,
  ${ofRuns(`json_array(${usageNames.map((name) => `runs.${sqlName(name)}`).join(", ")})`, running)} AS "goingUsage"
  FROM session_rows WHERE session_rows.id = ? AND session_rows.state <> 'hidden'`

/** What is read from a session, and what of it is settled. */
interface Settled {
  readonly ordinal: number
  readonly session: Export.Session
  readonly newestRun: number
  readonly queued: ReadonlySet<number>
  readonly goingRun: number | null
  readonly goingUsage: Usage.Total
}

const json = (text: string | null): unknown => (text === null ? null : parse(text))

const decodeSession = decoder(Export.Session)
const decodeOrdinals = decoder(Schema.parseJson(Schema.Array(Schema.Int)))
const decodeTotal = decoder(Usage.Total)
const decodeUsage = decoder(Schema.Struct({ usage: Usage.Usage }))

/** The usage of the step that is left out. */
const usageAt = (query: Query, { id, ordinal }: SessionColumns, seq: number) =>
  Effect.flatMap(
    query<{ readonly body: string }>(
      operation,
      "SELECT body FROM messages WHERE session = ? AND seq = ?",
      ordinal,
      seq
    ),
    ([row]) => Either.map(decodeUsage({ sessionId: id, seq }, json(row?.body ?? null)), ({ usage }) => usage)
  )

const settle = (query: Query, sessionId: SessionId) =>
  Effect.gen(function* () {
    const [row] = yield* query<SessionColumns>(operation, snapshot, sessionId)
    if (row === undefined) return yield* new SkeinError.SessionNotFound({ sessionId })
    const name = { sessionId, seq: null }
    const head = Math.min(row.settled ?? row.head, row.head)
    const left = head < row.head ? yield* usageAt(query, row, head + 1) : null
    const without = (total: Usage.Total) => (left === null ? total : Usage.subtract(total, left))
    const numbers = json(row.goingUsage)
    const ofGoing = Array.isArray(numbers)
      ? yield* decodeTotal(name, Object.fromEntries(usageNames.map((of, index) => [of, numbers[index]])))
      : Usage.zero
    const queued = yield* decodeOrdinals(name, row.queued)
    const session = yield* decodeSession(name, {
      ...row,
      waiting: queued.length,
      type: "session",
      named: row.named === 1,
      workdir: row.workdir === "" ? null : row.workdir,
      model: json(row.model),
      metadata: json(row.metadata),
      usage: without(yield* decodeTotal(name, row)),
      head
    })
    const { goingRun, newestRun, ordinal } = row
    return {
      ordinal,
      session,
      newestRun,
      queued: new Set(queued),
      goingRun,
      goingUsage: without(ofGoing)
    } satisfies Settled
  })

/** How many small rows are read at a time. */
const portion = 200

/** How much of the messages is read at a time: about this many characters, and at most this many messages. */
const most = { characters: 1024 * 1024, messages: 500 }

type Row = Export.Row

/** A page of rows, and where the next one begins; null after the last. */
type Page<Position> = readonly [rows: ReadonlyArray<Row>, next: Position | null]

const pages = <Position>(
  turn: Turn,
  from: Position,
  read: (from: Position) => Effect.Effect<Page<Position>, Refused>
): Stream.Stream<Row, Refused> =>
  Stream.paginateChunkEffect(from, (from) =>
    Effect.zipRight(
      turn,
      Effect.map(read(from), ([rows, next]) => [Chunk.unsafeFromArray(rows), Option.fromNullable(next)] as const)
    )
  )

const runNames = [
  "ordinal",
  "id",
  "state",
  "stopReason",
  "detail",
  "metadata",
  "output",
  "cursor",
  "createdAt",
  "startedAt",
  "endedAt",
  "idempotencyKey",
  "hash",
  "resumedBy",
  "actor",
  ...usageNames
] as const

const decodeRun = decoder(Export.Run)

const runsOf = (query: Query, turn: Turn, { goingRun, goingUsage, newestRun, ordinal, queued, session }: Settled) => {
  /** Which run a resuming run goes on with: its id, by the ordinal of the resuming run. */
  const resuming = new Map<number, string>()
  return pages(turn, 0, (after) =>
    Effect.gen(function* () {
      const found = yield* query<StoredRow<typeof runs, (typeof runNames)[number]>>(
        operation,
        `SELECT ${select(runs, runNames)} FROM runs WHERE runs.session = ? AND runs.ordinal > ? AND runs.ordinal <= ?
         ORDER BY runs.ordinal LIMIT ${portion}`,
        ordinal,
        after,
        newestRun
      )
      const rows: Array<Row> = []
      for (const run of found) {
        const isGoing = run.ordinal === goingRun
        // A run that waited may have begun or ended since: it is not part of what is settled.
        if (queued.has(run.ordinal) || (!isGoing && run.state !== "ended")) continue
        const name = { sessionId: session.id, seq: null }
        const resumes = resuming.get(run.ordinal) ?? null
        resuming.delete(run.ordinal)
        if (run.resumedBy !== null) resuming.set(run.resumedBy, run.id)
        rows.push(
          yield* decodeRun(name, {
            ...run,
            type: "run",
            metadata: json(run.metadata),
            output: json(run.output),
            resumes,
            usage: isGoing ? goingUsage : run,
            ...(isGoing ? { ...Export.goingOn, endedAt: session.updatedAt } : {})
          })
        )
      }
      return [rows, found.length < portion ? null : (found.at(-1)?.ordinal ?? null)]
    })
  )
}

const messageNames = ["seq", "at", "body", "startedAt", "finished", "display", "actor"] as const

const decodeMessage = decoder(Export.Message)

const messagesOf = (query: Query, turn: Turn, { ordinal, session: { head, id } }: Settled) =>
  pages(turn, { first: 1, size: 50 }, ({ first, size }) =>
    Effect.gen(function* () {
      if (head < first) return [[], null]
      const found = yield* query<
        StoredRow<typeof messages, (typeof messageNames)[number]> & { readonly runId: string }
      >(
        operation,
        `SELECT ${select(messages, messageNames)}, (SELECT id FROM runs WHERE ordinal = messages.run) AS "runId"
         FROM messages WHERE messages.session = ? AND messages.seq BETWEEN ? AND ? ORDER BY messages.seq LIMIT ?`,
        ordinal,
        first,
        head,
        size
      )
      const rows: Array<Row> = []
      let characters = 0
      for (const [index, row] of found.entries()) {
        const name = { sessionId: id, seq: first + index }
        if (row.seq !== name.seq) return yield* new SkeinError.RowDamaged({ ...name, detail: "is missing" })
        characters += row.body.length
        rows.push(
          yield* decodeMessage(name, {
            ...row,
            type: "message",
            message: json(row.body),
            display: json(row.display)
          })
        )
      }
      const next = first + rows.length
      if (rows.length === 0) {
        return yield* new SkeinError.RowDamaged({ sessionId: id, seq: first, detail: "is missing" })
      }
      const fitting = Math.floor((most.characters * rows.length) / Math.max(characters, 1))
      return [rows, next > head ? null : { first: next, size: Math.min(most.messages, Math.max(1, fitting)) }]
    })
  )

const questionNames = ["ordinal", "id", "seq", "tool", "access", "input", "display", "answer", "askedAt"] as const

const decodeQuestion = decoder(Export.Question)

const questionsOf = (query: Query, turn: Turn, { ordinal, session: { head, id } }: Settled) =>
  pages(turn, 0, (after) =>
    Effect.gen(function* () {
      const found = yield* query<StoredRow<typeof questions, (typeof questionNames)[number]>>(
        operation,
        `SELECT ${select(questions, questionNames)}, questions.call AS "callId", runs.id AS "runId"
         FROM questions JOIN runs ON runs.ordinal = questions.run
         WHERE questions.session = ? AND questions.ordinal > ? AND questions.seq <= ? AND questions.answer IS NOT NULL
         ORDER BY questions.ordinal LIMIT ${portion}`,
        ordinal,
        after,
        head
      )
      const rows = found.map((row) =>
        decodeQuestion(
          { sessionId: id, seq: row.seq },
          {
            ...row,
            type: "question",
            input: json(row.input),
            display: json(row.display),
            answer: json(row.answer)
          }
        )
      )
      return [yield* Either.all(rows), found.length < portion ? null : (found.at(-1)?.ordinal ?? null)]
    })
  )

const decodeGrant = decoder(Export.Grant)

const grantsOf = (query: Query, { ordinal, session: { id } }: Settled) =>
  Effect.flatMap(
    query<{ readonly tool: string }>(operation, "SELECT tool FROM grants WHERE session = ? ORDER BY tool", ordinal),
    (found) => Either.all(found.map(({ tool }) => decodeGrant({ sessionId: id, seq: null }, { type: "grant", tool })))
  )

const keyNames = ["key", "hash", "first", "last"] as const

const decodeKey = decoder(Export.AppendKey)

const keysOf = (query: Query, turn: Turn, { ordinal, session: { head, id } }: Settled) =>
  pages(turn, "", (after) =>
    Effect.gen(function* () {
      const found = yield* query<StoredRow<typeof appendKeys, (typeof keyNames)[number]>>(
        operation,
        `SELECT ${select(appendKeys, keyNames)} FROM append_keys
         WHERE append_keys.session = ? AND append_keys.key > ? AND append_keys.last <= ?
         ORDER BY append_keys.key LIMIT ${portion}`,
        ordinal,
        after,
        head
      )
      const rows = found.map((row) => decodeKey({ sessionId: id, seq: null }, { type: "append-key", ...row }))
      return [yield* Either.all(rows), found.length < portion ? null : (found.at(-1)?.key ?? null)]
    })
  )

const decodeAsset = decoder(Export.Asset)

const assetsOf = (query: Query, sessionId: SessionId) =>
  Effect.flatMap(AssetRows.list(query, sessionId), (found) =>
    Either.all(found.map((asset) => decodeAsset({ sessionId, seq: null }, { type: "asset", ...asset })))
  )

export const stream = (
  query: Query,
  turn: Turn,
  sessionId: SessionId
): Stream.Stream<Export.Session | Row, SkeinError.SessionNotFound | Refused> =>
  Stream.unwrap(
    Effect.map(settle(query, sessionId), (settled) =>
      Stream.make<[Export.Session | Row]>(settled.session).pipe(
        Stream.concat(runsOf(query, turn, settled)),
        Stream.concat(messagesOf(query, turn, settled)),
        Stream.concat(questionsOf(query, turn, settled)),
        Stream.concat(Stream.fromIterableEffect(grantsOf(query, settled))),
        Stream.concat(keysOf(query, turn, settled)),
        Stream.concat(Stream.fromIterableEffect(assetsOf(query, sessionId)))
      )
    )
  )
