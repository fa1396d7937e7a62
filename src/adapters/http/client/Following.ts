/**
 * Streams of events, and waits, that reconnect when they are cut. Each connection begins after the last event received,
 * so there is no gap and no duplicate. The wait between connections that bring nothing doubles, from one second to
 * thirty. A connection that stays silent for 45 seconds, without even a heartbeat, counts as cut.
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Effect, Option, Schedule, Schema, Stream } from "effect"
import type { Cursor } from "../../../domain/Session.js"
import * as SessionEvent from "../../../domain/SessionEvent.js"
import { type ChangesQuery, SessionHint } from "../../../domain/SessionHint.js"
import * as SkeinError from "../../../domain/SkeinError.js"
import type { EventRange } from "../../../services/gateway/Requests.js"
import { wireErrors } from "../WireErrors.js"
import * as Answers from "./Answers.js"
import * as EventText from "./EventText.js"
import { RequestFailed } from "./RequestFailed.js"

const silence = "45 seconds"
const firstWait = 1000
const longestWait = 30_000

const malformed = new RequestFailed({ reason: "malformed", status: 200, detail: "another kind of event" })
const cut = new RequestFailed({ reason: "unreachable", status: null, detail: "cut" })

/** Whether a later try may succeed. */
const isPassing = (error: unknown): boolean =>
  error instanceof RequestFailed && (error.reason === "unreachable" || (error.status !== null && error.status >= 500))

/**
 * Asks until there is an answer, however long that takes. A request that stays silent for 45 seconds is sent again
 * immediately; one that was cut or cannot be answered now is sent again after a wait. `onLost` is run before each wait.
 */
export const untilAnswered = <A, E, R>(ask: Effect.Effect<A, E, R>, onLost: Effect.Effect<void>) => {
  const asked: Effect.Effect<A, E, R> = Effect.flatMap(
    Effect.timeoutOption(ask, silence),
    Option.match({ onNone: () => asked, onSome: Effect.succeed })
  )
  return asked.pipe(
    Effect.tapError((error) => (isPassing(error) ? onLost : Effect.void)),
    Effect.retry({
      while: isPassing,
      schedule: Schedule.union(Schedule.exponential(firstWait), Schedule.spaced(longestWait))
    })
  )
}

const decoder = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decode(Schema.parseJson(schema))
  return (text: string) => Effect.mapError(decode(text), () => malformed)
}

const readEvent = decoder(SessionEvent.SessionEvent)
const readHint = decoder(SessionHint)
const readReload = decoder(Schema.Struct({ oldest: Schema.Finite, newest: Schema.Finite }))
const readEventsError = decoder(wireErrors(SkeinError.Events))
const readListError = decoder(wireErrors(SkeinError.List))

/** Whether a frame is about the stream itself. */
const isOurs = ({ event }: EventText.Frame): boolean => event === "synced" || event === "closing"

/** `onLost` is run for each connection that failed before it brought anything. */
export const make = <EH>(http: HttpClient.HttpClient.With<EH>, onLost: Effect.Effect<void>) => {
  /** The events of one connection. */
  const connect = <E extends Error, IE extends object>(
    error: Schema.Schema<E, IE>,
    request: HttpClientRequest.HttpClientRequest
  ) =>
    Answers.bytes(http, { error }, Effect.succeed(request)).pipe(
      Stream.timeoutFail(() => cut, silence),
      Stream.decodeText(),
      Stream.mapAccum("", EventText.take),
      Stream.flattenChunks
    )

  /** Connects again and again, until `isOver` or until a connection fails for good. */
  const persist = <A, E>(connection: () => Stream.Stream<A, E>, isOver: () => boolean): Stream.Stream<A, E> => {
    let wait = firstWait
    const once = Stream.suspend(() => {
      let hasBrought = false
      const came = Effect.sync(() => {
        wait = firstWait
        hasBrought = true
      })
      return connection().pipe(
        Stream.tap(() => came),
        Stream.catchAll((error) => {
          if (!isPassing(error)) return Stream.fail(error)
          return hasBrought ? Stream.empty : Stream.drain(Stream.fromEffect(onLost))
        })
      )
    })
    const pause = Effect.suspend(() => {
      const millis = wait
      wait = Math.min(2 * wait, longestWait)
      return Effect.sleep(millis)
    })
    const again: Stream.Stream<A, E> = Stream.suspend(() =>
      isOver() ? Stream.empty : Stream.concat(Stream.drain(Stream.fromEffect(pause)), Stream.concat(once, again))
    )
    return Stream.concat(once, again)
  }

  const events = ({ after, entries = false, live = true, sessionId }: EventRange) =>
    Stream.suspend(() => {
      let last: Cursor | undefined = after
      let isOver = false
      const isEnd = ({ event }: EventText.Frame) => {
        if (!live && event === "synced") isOver = true
        return isOver
      }
      const seen = (event: SessionEvent.SessionEvent) => {
        if (!SessionEvent.isDurable(event)) return
        last = event.cursor
        isOver ||= event.type === "session.deleted"
      }
      const connection = () =>
        connect(
          SkeinError.Events,
          HttpClientRequest.get(`/v1/sessions/${sessionId}/events`).pipe(
            HttpClientRequest.setUrlParams({ deltas: String(live), entries: String(entries), live: String(live) }),
            HttpClientRequest.setHeaders(last === undefined ? {} : { "last-event-id": String(last) })
          )
        ).pipe(
          Stream.takeUntil(isEnd),
          Stream.filter((frame) => !isOurs(frame)),
          Stream.mapEffect(({ data, event }) => {
            if (event === "reload") {
              return Effect.flatMap(readReload(data), (range) =>
                Effect.fail(new SkeinError.CursorGone({ sessionId, after: last ?? 0, ...range }))
              )
            }
            return event === "error"
              ? Effect.flatMap(readEventsError(data), (error) => Effect.fail(error))
              : readEvent(data)
          }),
          Stream.tap((event) => Effect.sync(() => seen(event)))
        )
      return persist(connection, () => isOver)
    })

  const changes = ({ owner }: ChangesQuery) =>
    persist(
      () =>
        connect(
          SkeinError.List,
          HttpClientRequest.get("/v1/events").pipe(HttpClientRequest.setUrlParams(owner === undefined ? {} : { owner }))
        ).pipe(
          Stream.filter((frame) => !isOurs(frame)),
          Stream.mapEffect(({ data, event }) =>
            event === "error" ? Effect.flatMap(readListError(data), (error) => Effect.fail(error)) : readHint(data)
          )
        ),
      () => false
    )

  return { events, changes }
}
