/**
 * Who changed what, and when: the events that have an actor, ordered by time. What a run does by itself has no actor. A
 * deleted session leaves nothing; a session whose old events were removed keeps its messages.
 */
import { Chunk, Effect, Stream } from "effect"
import type { SessionId } from "../../../domain/Session.js"
import type { SessionPage } from "../../../domain/SessionPage.js"
import * as SessionEvent from "../../../domain/SessionEvent.js"
import { Gateway } from "../../../services/gateway/Gateway.js"
import type { ValuesOf } from "../CommandLine.js"
import * as Engine from "../Engine.js"
import * as Moment from "../Moment.js"
import * as SessionLookup from "../SessionLookup.js"
import { moment } from "../SessionTable.js"
import { Screen } from "../terminal/Screen.js"
import * as TerminalText from "../terminal/TerminalText.js"
import * as Texts from "../texts/Audit.js"
import type * as Commands from "../texts/Commands.js"

const page = 500

/** The sessions that may have events since then. */
const sessionsSince = Effect.fnUntraced(function* (since: number) {
  const gateway = yield* Gateway
  const ids: Array<SessionId> = []
  let next: SessionPage["next"] | undefined
  while (next !== null) {
    const found: SessionPage = yield* gateway.sessions({ limit: page, since, after: next })
    ids.push(...found.sessions.map(({ id }) => id))
    next = found.next
  }
  return ids
})

/** The events of a session with an actor, up to now, from the oldest that is kept. */
const ofSession = (sessionId: SessionId, since: number) =>
  Effect.flatMap(Gateway, (gateway) =>
    gateway.events({ sessionId, live: false }).pipe(
      Stream.filter(SessionEvent.isDurable),
      Stream.filter((event) => event.actor !== null && event.at >= since),
      Stream.runCollect,
      Effect.map(Chunk.toReadonlyArray)
    )
  ).pipe(Effect.catchTag("SessionNotFound", () => Effect.succeed([])))

const line = (event: SessionEvent.Durable, width: number): string =>
  [
    moment(event.at),
    TerminalText.pad(TerminalText.short(event.actor ?? "", 30), width),
    event.sessionId,
    TerminalText.short(Texts.of(event), 200)
  ].join("  ")

export const run = Effect.fn("audit")(function* (given: ValuesOf<typeof Commands.audit>) {
  const screen = yield* Screen
  const since = Math.max(0, (yield* Moment.since("--since", given.value("since"))) ?? 0)
  const named = given.value("session")
  const parsed = named === null ? null : yield* SessionLookup.parse(named)
  yield* Effect.gen(function* () {
    const sessions = parsed === null ? yield* sessionsSince(since) : [yield* SessionLookup.find(parsed)]
    const found = yield* Effect.forEach(sessions, (sessionId) => ofSession(sessionId, since))
    const events = found.flat().sort((one, other) => one.at - other.at)
    if (given.has("json")) {
      return yield* screen.write(events.map((event) => `${TerminalText.json(SessionEvent.toJson(event))}\n`).join(""))
    }
    const width = Math.max(0, ...events.map(({ actor }) => TerminalText.short(actor ?? "", 30).length))
    yield* screen.write(
      events.length === 0 ? `${Texts.none}\n` : events.map((event) => `${line(event, width)}\n`).join("")
    )
  }).pipe(Effect.provide(Engine.layerForReading(given)))
})
