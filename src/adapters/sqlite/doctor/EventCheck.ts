/**
 * Whether a session's events are all there and can be told. A damaged log is not mended: nothing is lost with an event,
 * as it only refers to what is stored elsewhere, so clients from before the damage are told to load the session anew.
 */
import { Effect } from "effect"
import type { RowDamaged, StorageFailed } from "../../../domain/SkeinError.js"
import * as Events from "../../../services/storage/sql/Events.js"
import { damage, type Finding } from "./Finding.js"
import { named, type Subject } from "./Subject.js"

const page = 500

/** The cursor before the next event that there is beyond `cursor`. */
const beforeNext = ({ ordinal, query }: Subject, cursor: number): Effect.Effect<number, StorageFailed> =>
  Effect.map(
    query<{ readonly next: number | null; readonly newest: number }>(
      "look for the next event",
      `SELECT (SELECT min(cursor) FROM events WHERE session = ordinal AND cursor > ?) AS next, cursor AS newest
       FROM sessions WHERE ordinal = ?`,
      cursor,
      ordinal
    ),
    ([row]) => (row?.next ?? (row?.newest ?? cursor) + 1) - 1
  )

interface Damage {
  readonly first: number
  readonly last: number
  readonly detail: string
}

const find = (subject: Subject): Effect.Effect<Damage | null, StorageFailed> =>
  Effect.gen(function* () {
    const { id: sessionId, ordinal, query } = subject
    const [row] = yield* query<{ readonly first: number; readonly newest: number }>(
      "look at the session",
      "SELECT first_cursor AS first, cursor AS newest FROM sessions WHERE ordinal = ?",
      ordinal
    )
    const newest = row?.newest ?? 0
    const found: Array<Damage> = []
    let after = (row?.first ?? 1) - 1
    while (after < newest) {
      const events = yield* Effect.either(Events.read(query, { sessionId, after, limit: page }))
      if (events._tag === "Right") {
        after = events.right.at(-1)?.cursor ?? newest
        continue
      }
      const error: Effect.Effect.Error<ReturnType<typeof Events.read>> = events.left
      if (error._tag === "StorageFailed") return yield* error
      const detail: string = error._tag === "RowDamaged" ? detailOf(error) : "cannot be read"
      const last: number = Math.max(after + 1, yield* beforeNext(subject, after))
      found.push({ first: after + 1, last, detail })
      after = last
    }
    const [first] = found
    return first === undefined ? null : { ...first, last: found.at(-1)?.last ?? first.last }
  })

const detailOf = ({ detail }: RowDamaged): string => (detail.endsWith("is missing") ? "missing" : detail)

/** Looks at all of a session's events. */
export const check = (subject: Subject): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.map(find(subject), (found) => {
    if (found === null) return []
    const { detail, first, last } = found
    return [
      damage(
        `${named(subject)}, events ${first} to ${last}`,
        `an event is damaged: ${detail}`,
        "clients that have not seen them yet load the session anew; nothing is removed",
        ({ connection }) => {
          connection
            .prepare("UPDATE session_rows SET first_cursor = ? WHERE ordinal = ?")
            .run(last + 1, subject.ordinal)
          return "done"
        }
      )
    ]
  })
