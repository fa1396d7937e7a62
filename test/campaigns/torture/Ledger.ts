/**
 * What processes announced before they died, session by session: what must be stored, and what may be.
 *
 * A wish without an answer may have been fulfilled. If several values were wished for since the last answered wish, any
 * of them may be stored; in a session that several processes change, any value that was ever wished for.
 */
import type { AssetId } from "../../../src/domain/Asset.js"
import type { RunId } from "../../../src/domain/Run.js"
import type { Seq, SessionId } from "../../../src/domain/Session.js"
import type { Durable } from "../../../src/domain/SessionEvent.js"
import type { Outcome, Said, Wish } from "./Protocol.js"
import { isOwn } from "./Script.js"

/** What is known about one session. */
export interface Known {
  readonly id: SessionId
  /**
   * `must`: the session exists; `may`: it may exist or not, and so may everything known about it; `gone`: it does not
   * exist.
   */
  presence: "must" | "may" | "gone"
  /** Whether its id may have been used more than once. */
  wasDeleted: boolean
  /** By cursor. */
  readonly events: Map<number, Durable>
  readonly appended: Map<Seq, string>
  readonly sent: Map<RunId, string>
  readonly saved: Map<AssetId, { readonly bytes: number; readonly sha256: string }>
  /** `may`: its removal was asked for, but not confirmed. */
  readonly dropped: Map<AssetId, "may" | "gone">
  /** The values that a field may have, by the field's name. */
  readonly values: Map<string, Set<string>>
}

export interface Ledger {
  readonly sessions: ReadonlyMap<SessionId, Known>
  /** What children reported as broken. */
  readonly breaches: ReadonlyArray<string>
  /** How many lines the children have said. */
  readonly heard: () => number
  /** Takes a line that a child said; each child has a name of its own. */
  readonly hear: (child: string, said: Said) => void
}

const unknown = (id: SessionId): Known => ({
  id,
  presence: "may",
  wasDeleted: false,
  events: new Map(),
  appended: new Map(),
  sent: new Map(),
  saved: new Map(),
  dropped: new Map(),
  values: new Map()
})

/**
 * Nothing of the deleted session must be found any more. Its events stay, because they may include events of a new
 * session with the same id.
 */
const forget = (known: Known): void => {
  for (const facts of [known.appended, known.sent, known.saved, known.dropped, known.values]) facts.clear()
}

/** The value of a field that was never set, whatever it is. */
export const unset = ""

/** The field that a wish sets, and its value. */
const settingOf = (wish: Wish): readonly [field: string, value: string] | null => {
  switch (wish._tag) {
    case "Rename":
      return ["title", wish.title]
    case "Model":
      return ["model", wish.model]
    case "Patch":
      return [`metadata ${wish.field}`, `${wish.value}`]
    default:
      return null
  }
}

const want = (known: Known, wish: Wish): void => {
  const setting = settingOf(wish)
  if (setting !== null) {
    const [field, value] = setting
    known.values.set(field, (known.values.get(field) ?? new Set([unset])).add(value))
  }
  if (wish._tag === "Drop") known.dropped.set(wish.asset, "may")
  if (wish._tag === "Delete") {
    known.presence = "may"
    known.wasDeleted = true
  }
  if (wish._tag === "Create" && known.presence === "gone") known.presence = "may"
}

const get = (known: Known, wish: Wish, { asset, run, seq }: Outcome): void => {
  const setting = settingOf(wish)
  if (setting !== null && isOwn(known.id)) known.values.set(setting[0], new Set([setting[1]]))
  if (wish._tag === "Create") {
    if (known.wasDeleted) forget(known)
    known.presence = "must"
  }
  if (wish._tag === "Append" && seq !== null) known.appended.set(seq, wish.text)
  if (wish._tag === "Send" && run !== null) known.sent.set(run, wish.text)
  if (wish._tag === "Save" && asset !== null) known.saved.set(asset, wish)
  if (wish._tag === "Drop") known.dropped.set(wish.asset, "gone")
  if (wish._tag === "Delete") {
    forget(known)
    known.presence = "gone"
  }
}

const refuse = (known: Known, wish: Wish, error: string): void => {
  if (wish._tag === "Drop" && error === "AssetNotFound") known.dropped.set(wish.asset, "gone")
  if (wish._tag === "Create" && error === "SessionExists" && !known.wasDeleted) known.presence = "must"
  if (wish._tag === "Delete" && error === "SessionNotFound") {
    forget(known)
    known.presence = "gone"
  }
}

export const make = (): Ledger => {
  const sessions = new Map<SessionId, Known>()
  const wishes = new Map<string, Wish>()
  const breaches: Array<string> = []
  let heard = 0
  const knownOf = (id: SessionId): Known => {
    const known = sessions.get(id) ?? unknown(id)
    sessions.set(id, known)
    return known
  }
  /** Applies an answer to the wish that was announced before. */
  const later = (child: string, number: number, change: (known: Known, wish: Wish) => void): void => {
    const wish = wishes.get(`${child} ${number}`)
    if (wish === undefined) breaches.push(`torture: ${child} answers a wish that it never announced`)
    else change(knownOf(wish.session), wish)
  }
  const see = (event: Durable): void => {
    const known = knownOf(event.sessionId)
    const before = known.events.get(event.cursor)
    if (before !== undefined && before.type !== event.type) {
      breaches.push(`events: ${event.sessionId} showed ${before.type}, then ${event.type} at ${event.cursor}`)
    }
    // The event that announces the end of a session is not stored.
    if (event.type !== "session.deleted") known.events.set(event.cursor, event)
  }
  return {
    sessions,
    breaches,
    heard: () => heard,
    hear: (child, said) => {
      heard++
      switch (said._tag) {
        case "Wants":
          wishes.set(`${child} ${said.number}`, said.wish)
          return want(knownOf(said.wish.session), said.wish)
        case "Got":
          return later(child, said.number, (known, wish) => get(known, wish, said.outcome))
        case "Refused":
          return later(child, said.number, (known, wish) => refuse(known, wish, said.error))
        case "Saw":
          return see(said.event)
        case "Breach":
          return void breaches.push(said.text)
        case "Opened":
        case "Ended":
      }
    }
  }
}
