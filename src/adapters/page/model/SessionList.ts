/**
 * The list of sessions as the page has it: pages of the server's list, and what hints and answers have told since. A
 * late answer never makes a session older: the newer of two versions wins. Pure.
 */
import type { Hint, Listed, SessionPage } from "./Wire.js"

export interface SessionList {
  readonly sessions: ReadonlyArray<Listed>
  /** What the next page begins after; null when there is none. */
  readonly next: string | null
  readonly damaged: number
}

export const empty: SessionList = { sessions: [], next: null, damaged: 0 }

const byActivity = (a: Listed, b: Listed): number => b.updatedAt - a.updatedAt || (a.id < b.id ? 1 : -1)

const newer = (known: Listed | undefined, told: Listed): Listed =>
  known !== undefined && (known.cursor > told.cursor || known.updatedAt > told.updatedAt) ? known : told

const merged = (list: SessionList, told: ReadonlyArray<Listed>): ReadonlyArray<Listed> => {
  const all = new Map(list.sessions.map((session) => [session.id, session]))
  for (const session of told) all.set(session.id, newer(all.get(session.id), session))
  return [...all.values()].toSorted(byActivity)
}

/** Puts in a session as it is now. */
export const put = (list: SessionList, session: Listed): SessionList => ({
  ...list,
  sessions: merged(list, [session])
})

/** The first page again: it lists everything except sessions that are older than its last one. */
export const first = (list: SessionList, page: SessionPage): SessionList => {
  const last = page.sessions.at(-1)
  const told = new Set(page.sessions.map(({ id }) => id))
  const kept = list.sessions.filter(
    (session) =>
      told.has(session.id) || (page.next !== null && last !== undefined && session.updatedAt < last.updatedAt)
  )
  return {
    sessions: merged({ ...list, sessions: kept }, page.sessions),
    next: page.next,
    damaged: page.damaged.length
  }
}

/** One more page. */
export const more = (list: SessionList, page: SessionPage): SessionList => ({
  sessions: merged(list, page.sessions),
  next: page.next,
  damaged: list.damaged + page.damaged.length
})

export const without = (list: SessionList, sessionId: string): SessionList => ({
  ...list,
  sessions: list.sessions.filter(({ id }) => id !== sessionId)
})

/** Applies what the hint itself says; the session must still be read. */
export const hint = (list: SessionList, told: Hint): SessionList => {
  if (told.kind === "gap") return list
  if (told.kind === "session.deleted") return without(list, told.sessionId)
  const known = list.sessions.find(({ id }) => id === told.sessionId)
  if (known === undefined || told.cursor < known.cursor) return list
  const { activity, updatedAt } = told
  return { ...list, sessions: merged(without(list, told.sessionId), [{ ...known, activity, updatedAt }]) }
}
