/**
 * Decides which events of a session are not kept. They are found by bisection, because from some point on all events
 * are young: of many events only a few are checked. Where a clock went back, any such point will do. Pure.
 */

export interface EventLog {
  /** The oldest event that is kept. */
  readonly first: number
  readonly newest: number
  /** The event before the first event of a run that has not ended; null when all runs have ended. */
  readonly going: number | null
}

/** All events up to `old` are removed; all events after `young` are kept. */
export interface Bounds {
  readonly old: number
  readonly young: number
}

/** Returns what is known before any event is checked: the events before the newest `keep` are too many. */
export const bounds = ({ first, going, newest }: EventLog, keep: number): Bounds => {
  const young = Math.max(first - 1, Math.min(newest - 1, going ?? newest))
  return { old: Math.min(young, Math.max(first - 1, newest - keep)), young }
}

/** The event to check first: the oldest, because usually nothing has to be removed. Null when the bounds have met. */
export const first = ({ old, young }: Bounds): number | null => (old < young ? old + 1 : null)

/** The event to check next; null when the bounds have met. */
export const next = ({ old, young }: Bounds): number | null => (old < young ? Math.ceil((old + young) / 2) : null)

/** Returns the bounds after an event was checked. */
export const narrow = (bounds: Bounds, event: number, isYoung: boolean): Bounds =>
  isYoung ? { ...bounds, young: event - 1 } : { ...bounds, old: event }
