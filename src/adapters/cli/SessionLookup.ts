/**
 * The session that a person means: by its id, by the beginning of its id, or as the newest one of a folder. The `ses_` of
 * an id may be left out. A beginning that several sessions share is refused.
 */
import { Effect, Schema } from "effect"
import * as Refusal from "../../domain/Refusal.js"
import { SessionId } from "../../domain/Session.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import { WrongUsage } from "./Failure.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Sessions.js"

const prefix = "ses_"
const mostNamed = 4

const readId = Refusal.decoder(SessionId, "session")

/** Checks that the text can be an id. No session needs to have it. */
export const parse = (text: string): Effect.Effect<SessionId, InvalidInput> =>
  Effect.mapError(
    readId(text),
    ({ field, limit }) => new InvalidInput({ field, limit, actual: TerminalText.short(text, 80) })
  )

/** Sessions whose id begins with this text, with or without the `ses_`: a few more than a refusal names. */
const startingWith = Effect.fnUntraced(function* (text: SessionId) {
  const gateway = yield* Gateway
  const beginnings = [text, prefix + text].filter(Schema.is(SessionId))
  const pages = yield* Effect.forEach(beginnings, (idPrefix) => gateway.sessions({ idPrefix, limit: mostNamed + 1 }))
  return pages.flatMap(({ sessions }) => sessions.map(({ id }) => id))
})

/** The session with this id, or the only one whose id begins with it. */
export const find = Effect.fn("SessionLookup.find")(function* (id: SessionId) {
  const gateway = yield* Gateway
  return yield* gateway.session(id).pipe(
    Effect.as(id),
    // A damaged session can still be named.
    Effect.catchTag("RowDamaged", () => Effect.succeed(id)),
    Effect.catchTag("SessionNotFound", (missing) =>
      Effect.gen(function* () {
        const found = prefix.startsWith(id) ? [] : yield* startingWith(id)
        const [first] = found
        if (first === undefined) return yield* missing
        if (found.length === 1) return first
        const named = found.slice(0, mostNamed)
        return yield* new WrongUsage({ detail: Texts.ambiguousId(id, named, found.length > named.length) })
      })
    )
  )
})

/** The newest session of a folder. */
export const newest = Effect.fn("SessionLookup.newest")(function* (workdir: string) {
  const [session] = (yield* (yield* Gateway).sessions({ workdir, limit: 1 })).sessions
  return session === undefined
    ? yield* new WrongUsage({ detail: Texts.noneIn(TerminalText.line(workdir)) })
    : session.id
})
