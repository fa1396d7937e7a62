/**
 * The read half of Durable Streams: `GET /ds/sessions/{id}` answers with a session's durable events, as a stream that
 * is read by offset. An offset is a cursor padded with zeros; clients keep it without interpreting it.
 *
 * - Without `live`: what there is after `offset`, a page at a time. `-1` is the beginning, `now` the end.
 * - `live=long-poll`: the same, or the next event once there is one; 204 when none came for a while.
 * - `live=sse`: all of that, then new events as they come.
 * - `entries=true` includes messages and questions in their events.
 *
 * There is no write half: events are written by what happens. An offset after which events are no longer kept is 410.
 */
import { HttpServerRequest, ParsedSearchParams } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Chunk, Effect, Either, Option, Schema, Stream } from "effect"
import { Cursor, type SessionId } from "../../../domain/Session.js"
import * as SessionEvent from "../../../domain/SessionEvent.js"
import type * as SkeinError from "../../../domain/SkeinError.js"
import { call } from "../Handlers.js"
import { frame, OpenStreams } from "../OpenStreams.js"
import { Flag, parameters } from "../Parameters.js"
import { pullBytes } from "../PullBytes.js"
import { Malformed } from "../RequestErrors.js"

/** How long a poll is held. Proxies cut what is silent for longer. */
const held = "20 seconds"

/** The limits of a page: events, and characters of their JSON before the last one. */
const page = { events: 1000, characters: 1_000_000 }

const Query = parameters({
  offset: Schema.optional(Schema.String.pipe(Schema.pattern(/^(-1|now|\d{1,16})$/))),
  live: Schema.optional(Schema.Literal("sse", "long-poll", "true")),
  /** For caches in between; its value is not needed here. */
  cursor: Schema.optional(Schema.String),
  entries: Schema.optional(Flag)
})

const decode = Schema.decodeUnknownEither(Query)

const query = Effect.flatMap(ParsedSearchParams, (given) =>
  Either.mapLeft(
    decode(given),
    () =>
      new Malformed({ field: "target", limit: "an offset that was given, live=sse or live=long-poll, entries=true" })
  )
)

const offsetOf = (cursor: number): string => String(cursor).padStart(16, "0")

const headersOf = (next: number, newest: number) => ({
  "stream-next-offset": offsetOf(next),
  "stream-cursor": String(next),
  ...(next >= newest ? { "stream-up-to-date": "true" } : {})
})

const jsonOf = (events: Iterable<SessionEvent.Durable>): string => `[${[...events].map(SessionEvent.toJson).join(",")}]`

type Events = Stream.Stream<SessionEvent.Durable, SkeinError.Events>

/** The first page of what there is. */
const firstPage = (events: Events) => {
  let count = 0
  let characters = 0
  const isLast = (event: SessionEvent.Durable) => {
    count += 1
    characters += SessionEvent.toJson(event).length
    return count >= page.events || characters >= page.characters
  }
  return Stream.runCollect(Stream.takeUntil(events, isLast))
}

const lastOf = (events: Chunk.Chunk<SessionEvent.Durable>, otherwise: number): number =>
  Option.match(Chunk.last(events), { onNone: () => otherwise, onSome: ({ cursor }) => cursor })

const encoder = new TextEncoder()

/** Events, with control frames that say where their reader is. */
const tellOf = (events: Events, after: number, newest: number) =>
  Effect.gen(function* () {
    const control = (next: number, isClosed = false) =>
      frame("control", {
        streamNextOffset: offsetOf(next),
        streamCursor: String(next),
        ...(next >= newest ? { upToDate: true } : {}),
        ...(isClosed ? { streamClosed: true } : {})
      })
    let isFirst = true
    const pull = yield* pullBytes(
      events,
      (chunk) => {
        // A session that was repaired may have no event up to its newest cursor.
        const isNone = isFirst && after < newest && Chunk.isEmpty(chunk)
        isFirst = false
        if (Chunk.isEmpty(chunk)) return isNone ? encoder.encode(control(newest)) : new Uint8Array()
        const isClosed = Chunk.some(chunk, ({ type }) => type === "session.deleted")
        return encoder.encode(`event: data\ndata: ${jsonOf(chunk)}\n\n${control(lastOf(chunk, after), isClosed)}`)
      },
      (error) => frame("error", { _tag: error._tag, message: error.message })
    )
    return { beginning: after >= newest ? control(after) : "", pull }
  })

/** `GET /ds/sessions/{id}` */
export const get = (sessionId: SessionId) =>
  Effect.gen(function* () {
    const { entries = false, live, offset = "-1" } = yield* query
    const { method } = yield* HttpServerRequest
    const { cursor: newest } = yield* call((gateway) => gateway.session(sessionId))
    if (method === "HEAD") {
      const headers = { ...headersOf(newest, newest), "content-type": "application/json" }
      return HttpServerResponse.empty({ status: 200, headers })
    }
    const after = offset === "now" ? newest : Cursor.make(Math.max(0, Number(offset)))
    const { respond, stopping } = yield* OpenStreams
    const open = (live: boolean) =>
      Effect.map(
        call((gateway) => gateway.subscribe({ sessionId, entries, after, live })),
        Stream.filter(SessionEvent.isDurable)
      )
    if (live === "sse") return yield* respond(Effect.flatMap(open(true), (events) => tellOf(events, after, newest)))
    const kept = yield* firstPage(yield* open(false))
    const found =
      Chunk.isNonEmpty(kept) || live === undefined
        ? kept
        : yield* Stream.runCollect(Stream.take(yield* open(true), 1)).pipe(
            Effect.raceFirst(stopping),
            Effect.timeoutTo({ duration: held, onTimeout: Chunk.empty, onSuccess: (found) => found })
          )
    const headers = headersOf(lastOf(found, newest), newest)
    return Chunk.isEmpty(found) && live !== undefined
      ? HttpServerResponse.empty({ status: 204, headers })
      : HttpServerResponse.text(jsonOf(found), { contentType: "application/json", headers })
  })
