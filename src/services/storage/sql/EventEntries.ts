/**
 * What events carry: the messages and questions that they are about, each read once for a page. The page ends before
 * its messages exceed the bytes that may be read at a time, but always has its first event. What is damaged is left
 * out; reading it by itself reports the damage.
 */
import { Array, Effect, Either, Option } from "effect"
import type { Entry } from "../../../domain/Message.js"
import type { Question, QuestionId } from "../../../domain/Permission.js"
import type { Seq, SessionId } from "../../../domain/Session.js"
import type { Durable } from "../../../domain/SessionEvent.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import type { Query } from "./Query.js"
import * as Questions from "./Questions.js"
import { decodeEntries, type EntryRow } from "./Transcripts.js"

/** The most bytes of messages in a page, unless the first alone has more. */
const most = 1024 * 1024

const operation = "read the events"

/** The place of the message that an event is about. */
const placeOf = (event: Durable): Seq | null =>
  event.type === "message.appended" || event.type === "call.finished" ? event.seq : null

/**
 * Parameters: places in the order of their events, session, bytes. The body is null where the messages up to it have
 * more bytes; their sizes are known without reading them.
 */
const statement = `WITH found AS MATERIALIZED (
    SELECT asked.key AS position, messages.session, messages.seq, sum(octet_length(messages.body)) OVER (ORDER BY asked.key) AS bytes
    FROM json_each(?) AS asked JOIN messages
    ON messages.session = (SELECT ordinal FROM session_rows WHERE session_rows.id = ?) AND messages.seq = CAST(asked.value AS BIGINT)
  )
  SELECT messages.seq, (SELECT id FROM runs WHERE ordinal = messages.run) AS "runId", messages.at, messages.actor,
    CASE WHEN found.bytes <= ? OR found.position = 0 THEN messages.body END AS body
  FROM found JOIN messages ON messages.session = found.session AND messages.seq = found.seq`

interface Row extends Omit<EntryRow, "body"> {
  readonly body: string | null
}

/** The entry in a place: none when it is damaged or missing, `later` when it comes with the next page. */
type Found = Option.Option<Entry> | "later"

const entryOf = (sessionId: SessionId, { body, ...row }: Row): Found =>
  body === null
    ? "later"
    : Option.flatMapNullable(Either.getRight(decodeEntries(sessionId, [{ ...row, body }])), ([entry]) => entry)

const entriesOf = (query: Query, sessionId: SessionId, places: ReadonlyArray<Seq>) =>
  Effect.map(
    places.length === 0
      ? Effect.succeed([])
      : query<Row>(operation, statement, JSON.stringify(places), sessionId, most),
    (rows) => new Map(rows.map((row): [Seq, Found] => [row.seq, entryOf(sessionId, row)]))
  )

const questionsOf = (query: Query, ids: ReadonlyArray<QuestionId>) =>
  ids.length === 0 ? Effect.succeed(new Map<QuestionId, Question>()) : Questions.among(query, operation, ids)

/** Returns the events with what they carry, up to the first whose message comes with the next page. */
export const add = (
  query: Query,
  sessionId: SessionId,
  events: ReadonlyArray<Durable>
): Effect.Effect<ReadonlyArray<Durable>, StorageFailed> =>
  Effect.gen(function* () {
    const places = [...new Set(events.flatMap((event) => placeOf(event) ?? []))]
    const entries = yield* entriesOf(query, sessionId, places)
    const found = (event: Durable): Found => {
      const place = placeOf(event)
      return (place === null ? undefined : entries.get(place)) ?? Option.none()
    }
    const page = Array.takeWhile(events, (event) => found(event) !== "later")
    const questions = yield* questionsOf(
      query,
      page.flatMap((event) => (event.type === "permission.asked" ? [event.questionId] : []))
    )
    return page.map((event): Durable => {
      switch (event.type) {
        case "message.appended":
        case "call.finished": {
          const entry = found(event)
          return entry === "later" || Option.isNone(entry) ? event : { ...event, entry: entry.value }
        }
        case "permission.asked": {
          const question = questions.get(event.questionId)
          return question === undefined ? event : { ...event, question }
        }
        default:
          return event
      }
    })
  })
