/**
 * Whether all of a session's events are there and decode. A damaged log is not mended: an event only refers to what is
 * stored elsewhere, so nothing is lost with it, and clients from before the damage load the session again.
 *
 * That most logs are whole is seen from rows that were read already. The engine itself reads all others.
 */
import { Effect, Either, Schema } from "effect"
import { AssetId } from "../../../domain/Asset.js"
import { Durable } from "../../../domain/SessionEvent.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import * as Events from "../../../services/storage/sql/Events.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import { type Finding, make, type SessionKey } from "./Finding.js"
import type { SessionRows } from "./RowCheck.js"

const page = 500

const types = new Set<unknown>(Durable.members.map(({ fields }) => fields.type.literals[0]))

const isAssetId = Schema.is(AssetId)

/** What a transcript has in its places: the role of each message, and the cursor of its event without a row. */
export type Places = ReadonlyMap<unknown, { readonly role: unknown; readonly cursor: number | null }>

/** Whether an event has all that it shows. */
const hasAll = (
  { calls, questions, runs }: SessionRows,
  places: Places,
  { ref, run: ordinal, seq, type }: SessionRows["events"][number]
): boolean => {
  if (!types.has(type)) return false
  const run = runs.find((run) => run.ordinal === ordinal)
  switch (String(type).split(".")[0]) {
    case "session":
      return true
    case "asset":
      return isAssetId(ref)
    case "message":
      return places.has(seq)
    case "run":
      return run !== undefined && (type !== "run.ended" || run.state === "ended")
    case "call":
      return run !== undefined && (places.get(seq)?.role === "tool" || calls.some((call) => call.seq === seq))
    default:
      return run !== undefined && questions.some(({ id }) => id === ref)
  }
}

/** The cursors that rows show. */
const cursorsOf = (events: SessionRows["events"], places: Places): ReadonlySet<number> =>
  new Set([...places.values(), ...events].map(({ cursor }) => Number(cursor ?? 0)))

/** The newest cursor that rows show. */
export const newestOf = ({ events, own }: SessionRows, places: Places): number => {
  let newest = Number(own.firstCursor) - 1
  for (const cursor of cursorsOf(events, places)) if (cursor > newest) newest = cursor
  return newest
}

/** Whether rows show each cursor of the session. */
export const isComplete = ({ events, own }: Pick<SessionRows, "events" | "own">, places: Places): boolean => {
  const [first, newest] = [Number(own.firstCursor), Number(own.cursor)]
  let kept = 0
  for (const cursor of cursorsOf(events, places)) if (cursor >= first && cursor <= newest) kept++
  return kept === newest - first + 1
}

/** Whether the events follow each other without a gap, and each has all that it shows. */
export const isWhole = (rows: SessionRows, places: Places): boolean =>
  isComplete(rows, places) && rows.events.every((event) => hasAll(rows, places, event))

/** Looks at the events as the engine reads them, up to the first that is damaged. */
export const check = (
  query: Query,
  session: SessionKey,
  from: unknown
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    for (let after = Number(from) - 1; ;) {
      const read = yield* Effect.either(Events.read(query, { sessionId: session.id, after, limit: page }))
      if (Either.isRight(read)) {
        const last: number | undefined = read.right.at(-1)?.cursor
        if (last === undefined) return []
        after = last
        continue
      }
      const error: Effect.Effect.Error<ReturnType<typeof Events.read>> = read.left
      if (error._tag === "StorageFailed") return yield* error
      const detail: string = error._tag === "RowDamaged" ? error.detail : "cannot be read"
      const damage = { event: after + 1, detail: detail.endsWith("is missing") ? "missing" : detail }
      return [make("events-damaged", { session, ...damage }, [])]
    }
  })
