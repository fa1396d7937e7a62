/**
 * Checks a session's rows against each other: each event must have what it refers to, and the session's own row must
 * have the right head and newest cursor. A cursor that no row accounts for means that its event is lost.
 *
 * A damaged log is not repaired. An event only refers to what is stored elsewhere, so nothing is lost with it, and
 * clients from before the damage load the session again. Most logs are found whole from rows that were already read. The
 * others are read by the engine's own code.
 */
import { Effect, Schema } from "effect"
import { AssetId } from "../../../../domain/Asset.js"
import { Durable } from "../../../../domain/SessionEvent.js"
import type { StorageFailed } from "../../../../domain/SkeinError.js"
import * as Events from "../Events.js"
import type { Query } from "../Query.js"
import { sessionRows } from "../Tables.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import * as Judging from "./Judging.js"
import type { SessionRows } from "./SessionRows.js"

const page = 500

const types = new Set<unknown>(Durable.members.map(({ fields }) => fields.type.literals[0]))

const isAssetId = Schema.is(AssetId)

/** Whether everything that an event refers to is there. */
const hasAll = (
  { calls, places, questions, runs }: SessionRows,
  { ref, run: ordinal, seq, type }: SessionRows["events"][number]
): boolean => {
  const run = runs.find((run) => run.ordinal === ordinal)
  const hasCall = () => places.get(seq)?.row.role === "tool" || calls.some((call) => call.seq === seq)
  switch (types.has(type) ? String(type).split(".")[0] : undefined) {
    case undefined:
      return false
    case "session":
      return true
    case "asset":
      return isAssetId(ref)
    case "message":
      return places.has(seq)
    case "run":
      return run !== undefined && (type !== "run.ended" || run.state === "ended")
    case "call":
      return run !== undefined && hasCall()
    default:
      return run !== undefined && questions.some(({ id }) => id === ref)
  }
}

/** The cursors in rows: those of events, and those of messages that are their own event. */
const cursorsOf = ({ events, places }: SessionRows): ReadonlySet<number> => {
  const cursors = new Set(events.map(({ cursor }) => Number(cursor)))
  for (const { row } of places.values()) {
    if (row.role !== "tool" || row.run === null) cursors.add(Number(row.follows) + 1)
  }
  return cursors
}

/** The greatest of these numbers, or 0. There may be too many of them for `Math.max`. */
export const greatest = (numbers: Iterable<unknown>): number => {
  let greatest = 0
  for (const number of numbers) greatest = Math.max(greatest, Number(number))
  return greatest
}

/** Whether the rows account for every cursor of the session. */
export const isComplete = (rows: SessionRows): boolean => {
  const [first, newest] = [Number(rows.own.firstCursor), Number(rows.own.cursor)]
  let kept = 0
  for (const cursor of cursorsOf(rows)) if (cursor >= first && cursor <= newest) kept++
  return kept === newest - first + 1
}

/** Whether the events have no gap, and everything that they refer to is there. */
export const isWhole = (rows: SessionRows): boolean =>
  isComplete(rows) && rows.events.every((event) => hasAll(rows, event))

/** Checks the head and the newest cursor in the session's row. Requires that nothing else is damaged. */
export const checkPosition = (rows: SessionRows): ReadonlyArray<Finding> => {
  const { calls, own, places, session } = rows
  const head = calls.length === 0 ? greatest(places.keys()) : Math.min(...calls.map(({ seq }) => Number(seq))) - 1
  const cursor = Math.max(Number(own.cursor), Number(own.firstCursor) - 1, greatest(cursorsOf(rows)))
  const damage = Judging.differing("is not what its rows tell at", own, { head, cursor })
  return Judging.report({ session }, sessionRows, own, damage)
}

/** Reads the events after a cursor as the engine does, up to the first that is damaged. */
export const check = (
  query: Query,
  session: SessionKey,
  after: number
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.matchEffect(Events.read(query, { sessionId: session.id, after, limit: page }), {
    onSuccess: (events) => {
      const last = events.at(-1)
      return last === undefined ? Effect.succeed([]) : check(query, session, last.cursor)
    },
    onFailure: (error) => {
      if (error._tag === "StorageFailed") return Effect.fail(error)
      const detail = error._tag === "RowDamaged" ? error.detail : "cannot be read"
      const damage = { event: after + 1, detail: detail.endsWith("is missing") ? "missing" : detail }
      return Effect.succeed([make("events-damaged", { session, ...damage }, [])])
    }
  })
