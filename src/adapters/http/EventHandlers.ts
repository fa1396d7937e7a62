/**
 * Events of a session, and hints of all sessions, as server-sent events.
 *
 * - `id` is the cursor, and only durable events have one. `Last-Event-ID` continues after it, and wins over `after`.
 * - `synced { cursor }` comes once, after everything that was there when the client connected. It ends the stream of a
 *   client that wants nothing live.
 * - `reload { oldest, newest }` comes instead of a replay that is no longer possible, or never was: the client loads
 *   the snapshot. The stream continues after `newest`, so changes in the meantime are not missed.
 * - `closing { retryMillis }` comes before the server stops, `error` before the end of a stream that cannot continue.
 *
 * The session's hub sends the same chunk to everyone who watches it: its bytes are made once for all of them.
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Chunk, Effect, Option, Schema, type Scope, type Stream } from "effect"
import * as ExactCheck from "../../domain/ExactCheck.js"
import { Cursor, type SessionId } from "../../domain/Session.js"
import * as SessionEvent from "../../domain/SessionEvent.js"
import { SessionHint } from "../../domain/SessionHint.js"
import * as SkeinError from "../../domain/SkeinError.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as Subscriptions from "../../services/gateway/Subscriptions.js"
import { api } from "./Api.js"
import { call } from "./Handlers.js"
import { frame, OpenStreams } from "./OpenStreams.js"
import { asBytes, pullBytes } from "./PullBytes.js"
import { wireErrors } from "./WireErrors.js"

const encoder = new TextEncoder()
const nothing = new Uint8Array()

type Events = Chunk.Chunk<SessionEvent.SessionEvent>

const bytesOf = (events: Events, deltas: boolean): Uint8Array => {
  const told = Chunk.toReadonlyArray(deltas ? events : Chunk.filter(events, SessionEvent.isDurable))
  return told.length === 0 ? nothing : encoder.encode(told.map(SessionEvent.toSse).join(""))
}

/** The bytes of chunks that are still in memory, with and without deltas. */
const encodings = { all: new WeakMap<Events, Uint8Array>(), durable: new WeakMap<Events, Uint8Array>() }

const encode = (events: Events, deltas: boolean): Uint8Array => {
  const known = deltas ? encodings.all : encodings.durable
  const bytes = known.get(events) ?? bytesOf(events, deltas)
  known.set(events, bytes)
  return bytes
}

const lastCursor = (events: Events): number =>
  Chunk.reduce(events, 0, (last, event) => (SessionEvent.isDurable(event) ? event.cursor : last))

const toError = Schema.encodeSync(wireErrors(SkeinError.Events))

/** The last frame of a stream that cannot continue. */
const lastFrame = (error: SkeinError.Events): string =>
  error._tag === "CursorGone"
    ? frame("reload", { oldest: error.oldest, newest: error.newest })
    : frame("error", toError(error))

interface Wish {
  readonly sessionId: SessionId
  readonly after: Cursor | undefined
  readonly deltas: boolean
  readonly entries: boolean
  readonly live: boolean
}

interface Opened {
  readonly events: Stream.Stream<SessionEvent.SessionEvent, SkeinError.Events>
  readonly begin: number
  readonly reload: string
}

/** Opens a subscription, with what a client is sent before its events. */
const subscribe = ({ after, deltas, entries, live, sessionId }: Wish) =>
  call((gateway) =>
    Effect.gen(function* () {
      const { cursor: newest } = yield* gateway.session(sessionId)
      /** A cursor that cannot be continued is replaced by the newest one. */
      const open = (
        begin: Cursor | undefined,
        reload: string
      ): Effect.Effect<Opened, SkeinError.ReadSession, Scope.Scope> =>
        gateway.subscribe({ sessionId, entries, live, after: begin }).pipe(
          Effect.map((events) => ({ events, begin: begin ?? 0, reload })),
          Effect.catchTag("CursorGone", (error) => open(Cursor.make(error.newest), lastFrame(error)))
        )
      const { begin, events, reload } = yield* open(after, "")
      const synced = (cursor: number) => frame("synced", { cursor })
      let isSynced = begin >= newest
      let isFirst = true
      const bytes = (chunk: Events): Uint8Array => {
        const told = encode(chunk, deltas)
        if (isSynced) return told
        const last = lastCursor(chunk)
        // A session that was repaired may have no event up to its newest cursor.
        const isAll = last >= newest || (isFirst && last === 0)
        isFirst = false
        if (!isAll) return told
        isSynced = true
        return Buffer.concat([told, encoder.encode(synced(Math.max(last, newest)))])
      }
      const all = yield* Subscriptions.pullOf(events)
      const replay = Effect.suspend(() => (isSynced ? Effect.fail(Option.none()) : all))
      const pull = asBytes(live ? all : replay, bytes, lastFrame)
      return { beginning: isSynced ? reload + synced(begin) : reload, pull }
    })
  )

const toHintJson = ExactCheck.toJson(SessionHint)
const hintJson = new WeakMap<SessionHint, string>()

/** A hint is encoded once, however many clients it goes to. */
const toSse = (hint: SessionHint): string => {
  const json = hintJson.get(hint) ?? toHintJson(hint)
  hintJson.set(hint, json)
  return `event: ${hint.kind}\ndata: ${json}\n\n`
}

const hintBytes = (hints: Chunk.Chunk<SessionHint>) => encoder.encode(Chunk.toReadonlyArray(hints).map(toSse).join(""))

const listError = Schema.encodeSync(wireErrors(SkeinError.List))

export const events = HttpApiBuilder.group(api, "events", (handlers) =>
  handlers
    .handleRaw("events", ({ headers, path, urlParams }) =>
      Effect.gen(function* () {
        const { respond } = yield* OpenStreams
        return yield* respond(
          subscribe({
            sessionId: path.sessionId,
            after: headers["last-event-id"] ?? urlParams.after,
            deltas: urlParams.deltas ?? false,
            entries: urlParams.entries ?? false,
            live: urlParams.live ?? true
          })
        )
      })
    )
    .handleRaw("changes", ({ urlParams }) =>
      Effect.gen(function* () {
        const { respond } = yield* OpenStreams
        const gateway = yield* Gateway
        const pull = pullBytes(gateway.changes(urlParams), hintBytes, (error) => frame("error", listError(error)))
        return yield* respond(Effect.map(pull, (pull) => ({ beginning: "", pull })))
      })
    )
)
