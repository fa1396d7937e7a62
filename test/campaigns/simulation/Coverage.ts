/**
 * Counts what the seeds of a simulation must come across: a fault that is never injected and a situation that never
 * arises prove nothing, however many seeds hold.
 */

/** What `Faults` does to a database. */
export const faults = [
  "a BEGIN that finds the lock taken",
  "a full disk in the middle of a write",
  "a COMMIT that fails and is stored",
  "a COMMIT that fails and is not stored",
  "a failed check for the commits of others"
] as const

/** What kills and many concurrent clients lead to. */
export const situations = [
  "an engine killed",
  "an engine closed during a run",
  "a run queued behind the run of an engine that left",
  "a snapshot of an open batch",
  "a session deleted by one engine and created again by another",
  "a run released",
  "a run continued by another engine",
  "a run resumed by its key",
  "sessions recovered",
  "messages appended again under their key"
] as const

export type Occurrence = (typeof faults)[number] | (typeof situations)[number]

export type Counts = ReadonlyMap<Occurrence, number>

/** Counts an occurrence. */
export const note = (counts: Map<Occurrence, number>, occurrence: Occurrence): void =>
  void counts.set(occurrence, (counts.get(occurrence) ?? 0) + 1)

/** The expected occurrences that were not seen. */
export const missing = (counts: Counts, expected: ReadonlyArray<Occurrence>): ReadonlyArray<Occurrence> =>
  expected.filter((occurrence) => !counts.has(occurrence))
