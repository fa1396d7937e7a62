/**
 * Which events of a session are not to be kept. They are found by bisection, as events are young from some point on: of
 * many events few are looked at. Where a clock went back, any such point will do. Pure.
 */

export interface EventLog {
  /** The oldest event that is kept. */
  readonly first: number
  readonly newest: number
  /** The event before the first of a run that has not ended; null when all have. */
  readonly going: number | null
}

/** All events up to `old` go; the one after `young` and all later ones stay. */
export interface Bounds {
  readonly old: number
  readonly young: number
}

/** What is known before any event is looked at: the newest `keep` are not too many. */
export const bounds = ({ first, going, newest }: EventLog, keep: number): Bounds => {
  const young = Math.max(first - 1, Math.min(newest - 1, going ?? newest))
  return { old: Math.min(young, Math.max(first - 1, newest - keep)), young }
}

/** The event to look at first, as most sessions have nothing to remove; null when the bounds have met. */
export const first = ({ old, young }: Bounds): number | null => (old < young ? old + 1 : null)

/** The event to look at next; null when the bounds have met. */
export const next = ({ old, young }: Bounds): number | null => (old < young ? Math.ceil((old + young) / 2) : null)

/** The bounds after a look at an event. */
export const narrow = (bounds: Bounds, event: number, isYoung: boolean): Bounds =>
  isYoung ? { ...bounds, young: event - 1 } : { ...bounds, old: event }
