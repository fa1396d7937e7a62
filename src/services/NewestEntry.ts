/** The newest entry of a transcript that is wanted, read from the end: a transcript may be years long. */
import { Effect, Number, Option, Stream } from "effect"
import type { Entry } from "../domain/Message.js"
import { Seq, type SessionId } from "../domain/Session.js"
import { Gateway } from "./gateway/Gateway.js"

/** Entries read at a time, at least and at most. */
const portion = { minimum: 50, maximum: 500 }

/** Returns None if there is no such entry. */
export const find = Effect.fnUntraced(function* (sessionId: SessionId, isWanted: (entry: Entry) => boolean) {
  const gateway = yield* Gateway
  const { head } = yield* gateway.session(sessionId)
  let to: number = head
  while (to > 0) {
    const from = Math.max(1, to - Number.clamp(head - to, portion) + 1)
    const found = yield* gateway
      .transcript({ sessionId, from: Seq.make(from), to: Seq.make(to) })
      .pipe(Stream.filter(isWanted), Stream.runLast)
    if (Option.isSome(found)) return found
    to = from - 1
  }
  return Option.none<Entry>()
})
