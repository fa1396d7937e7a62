/** The rows of sessions, read table by table for all of them together, and the outlines of their messages. */
import { Effect } from "effect"
import type { Query } from "../Query.js"
import type { Table } from "../Table.js"
import * as Tables from "../Tables.js"
import type { SessionKey } from "./Finding.js"
import * as MessageCheck from "./MessageCheck.js"
import * as Rows from "./Rows.js"

const { assets, calls, eventRows, messages, questions, runs, sessionRows, tables } = Tables

/** Tables of sessions whose rows are checked by their columns alone. */
const plain = tables.filter(
  ({ name, session }) =>
    session !== null &&
    [sessionRows, runs, messages, calls, questions, assets, eventRows].every((table) => table.name !== name)
)

const ownerOf = ({ session }: Table, row: Rows.Row): number => Number(row[session ?? ""])

/** Reads the rows of a table, grouped by session. */
const grouped = <T extends Table>(query: Query, table: T, of: Rows.Range) => {
  const groups = new Map<number, Array<Rows.RowOf<T>>>()
  const pass = (row: Rows.RowOf<T>) => {
    const owner = ownerOf(table, row)
    const group = groups.get(owner)
    if (group === undefined) groups.set(owner, [row])
    else group.push(row)
  }
  return Effect.as(Rows.each(query, table, of, pass), (session: SessionKey) => groups.get(session.ordinal) ?? [])
}

/** Reads the rows of sessions, which must be sorted by ordinal. A deleted session is missing in the result. */
export const read = (query: Query, sessions: ReadonlyArray<SessionKey>) =>
  Effect.gen(function* () {
    const of = [sessions[0]?.ordinal ?? 0, sessions.at(-1)?.ordinal ?? 0] as const
    const rowsOf = <T extends Table>(table: T) => grouped(query, table, of)
    const rows = yield* Effect.all({
      own: rowsOf(sessionRows),
      runs: rowsOf(runs),
      calls: rowsOf(calls),
      questions: rowsOf(questions),
      assets: rowsOf(assets),
      events: rowsOf(eventRows)
    })
    const others = yield* Effect.forEach(plain, (table) => Effect.map(rowsOf(table), (rows) => [table, rows] as const))
    const rowsIn = (session: SessionKey, own: Rows.RowOf<typeof sessionRows>) => ({
      session,
      own,
      runs: rows.runs(session),
      calls: rows.calls(session),
      questions: rows.questions(session),
      assets: rows.assets(session),
      events: rows.events(session),
      others: others.map(([table, rows]) => [table, rows(session)] as const),
      /** The outline of each message, by its number and in that order. */
      places: new Map<unknown, MessageCheck.PassedMessage>()
    })
    const known = new Map(
      sessions.flatMap((session) => rows.own(session).map((own) => [session.ordinal, rowsIn(session, own)] as const))
    )
    yield* Rows.each(query, messages, of, (row) => {
      const rows = known.get(ownerOf(messages, row))
      rows?.places.set(row.seq, MessageCheck.check(rows.session, row))
    })
    return known
  })

type Read = Effect.Effect.Success<ReturnType<typeof read>>

/** The rows of a session. */
export type SessionRows = Read extends Map<number, infer Rows> ? Rows : never
