/**
 * Whether the engine that holds a lease still lives. What is decided here only says when a session is taken over, never
 * what is stored: that is the fencing number's part.
 *
 * Death is proven, never guessed:
 * - of an engine of another host nothing is known, whatever its boot, its pid and its clock; where several hosts share a
 *   storage, another boot may be another host's;
 * - a process of another boot of this host is dead;
 * - one of this boot and pid namespace is dead when its pid is gone, or belongs to a process with another start time;
 * - an engine of this very process is dead when its process-wide registry no longer has it;
 * - of all others nothing is known.
 *
 * An engine that is not proven dead keeps its lease by signs of life: a count that it raises again and again, with the
 * time on a clock that cannot be set and for how long it holds its leases. Engines on one host share that clock and
 * compare; others wait for the time to pass on their own. The wall clock has no part in it.
 *
 * Silence alone does not end a lease: storage may have been held up for everybody, the engine's signs too. A silent engine
 * is asked twice. Whoever asks stores something, and so knows that storage takes writes again: after the first time the
 * engine has the time in which it would give a sign anyway, after the second that which a waiting sign needs to get in.
 */
import type { Beat, EngineId, TakeoverReason, Sign } from "./Lease.js"

export type Liveness = "alive" | "dead" | "unknown"

/** What this process can see of another engine. */
export interface Sighting {
  /** The start time of the process that has the engine's pid now; null when there is none. */
  readonly startTime: string | null
  /** Whether the registry of this process has the instance. */
  readonly instanceKnown: boolean
}

/** Whether `engine` still lives, as far as `self` can prove. */
export const liveness = (self: EngineId, engine: EngineId, sighting: Sighting): Liveness => {
  if (engine.host !== self.host) return "unknown"
  if (engine.bootId !== self.bootId) {
    return self.bootId === "" || engine.bootId === "" || self.host !== null ? "unknown" : "dead"
  }
  if (engine.pidNamespace !== self.pidNamespace || self.bootId === "") return "unknown"
  if (engine.pid === self.pid && engine.startTime === self.startTime) return sighting.instanceKnown ? "alive" : "dead"
  return sighting.startTime === engine.startTime ? "alive" : "dead"
}

/**
 * Milliseconds after the newest sign of life that storage has of an engine, on its own clock, at which it stops its runs
 * by itself where engines of other hosts may take them over. They do so after one and a half times the lease at the
 * earliest, see `standing`: even on a clock that is twice as fast, that is later.
 */
export const silenceMillis = (leaseMillis: number): number => (2 * leaseMillis) / 3

/** Whether an engine may go on with its runs, so many milliseconds after that sign. */
export const mayGoOn = (millis: number, leaseMillis: number): boolean => millis < silenceMillis(leaseMillis)

/** An engine gives so many signs of life in the time of a lease: one may come late. */
export const signsInLease = 3

/** After the second time that a silent engine was asked. */
const graceMillis = 1_000

/** An engine has half the time of a lease to answer the first time: a sign is due by then, even if one comes late. */
const answerMillis = (asks: number, leaseMillis: number): number => (asks === 1 ? leaseMillis / 2 : graceMillis)

/** What somebody saw last of a lease's engine, since when, and how often and when last it was asked, on the own clock. */
export interface LeaseWatch {
  readonly fence: number
  readonly count: number
  readonly since: number
  readonly asks: number
  readonly askedAt: number
}

const watch = (seen: Pick<LeaseWatch, "fence" | "count">, { at }: Sign): LeaseWatch => ({
  ...seen,
  since: at,
  asks: 0,
  askedAt: at
})

/** What is seen of an engine that was asked. */
export const asked = (watched: LeaseWatch, { at }: Sign): LeaseWatch => ({
  ...watched,
  asks: watched.asks + 1,
  askedAt: at
})

/**
 * Whether a lease stands: held, over for a reason, or not to be told but by watching longer, or by asking the engine.
 * `watched` is for the next look at the same session.
 */
export type Standing =
  | { readonly _tag: "Held"; readonly watched: LeaseWatch | null }
  | { readonly _tag: "Over"; readonly reason: TakeoverReason }
  | { readonly _tag: "Unclear"; readonly watched: LeaseWatch }
  | { readonly _tag: "Silent"; readonly watched: LeaseWatch }

const held: Standing = { _tag: "Held", watched: null }
const over = (reason: TakeoverReason): Standing => ({ _tag: "Over", reason })

/**
 * Whether the lease of an engine stands, as far as `now` on the own clock can tell. `watched` is what the last look at
 * the session gave, if there was one. `leaseMillis` counts for an engine of which storage does not have its own.
 */
export const standing = (
  liveness: Liveness,
  { beat, fence }: { readonly beat: Beat; readonly fence: number },
  now: Sign,
  watched: LeaseWatch | null,
  leaseMillis: number
): Standing => {
  if (liveness === "dead") return over("crashed")
  const { count, sign } = beat
  const lease = beat.leaseMillis ?? leaseMillis
  const seen = watched?.fence === fence ? watched : watch({ fence, count }, now)
  const alive: Standing = { _tag: "Held", watched: watch({ fence, count }, now) }
  if (sign !== null && sign.clock !== "" && sign.clock === now.clock) {
    if (sign.at > now.at) return over("crashed")
    if (now.at - sign.at < lease) return held
    // A sign that was long on its way, as storage was held up, is one of life all the same.
    return seen.count === count ? silent(seen, now, lease) : alive
  }
  if (seen.count !== count) return alive
  return now.at - seen.since < lease ? { _tag: "Unclear", watched: seen } : silent(seen, now, lease)
}

const silent = (watched: LeaseWatch, now: Sign, leaseMillis: number): Standing => {
  const waited = now.at - watched.askedAt
  if (watched.asks > 0 && waited < answerMillis(watched.asks, leaseMillis)) return { _tag: "Unclear", watched }
  return watched.asks < 2 ? { _tag: "Silent", watched } : over("lease-lost")
}

/** Milliseconds after which another look tells more. A silent engine is asked now. */
export const waitMillis = (
  { _tag, watched }: Extract<Standing, { readonly _tag: "Unclear" | "Silent" }>,
  { at }: Sign,
  leaseMillis: number
): number => {
  if (_tag === "Silent") return answerMillis(watched.asks + 1, leaseMillis)
  if (watched.asks === 0) return watched.since + leaseMillis - at
  return watched.askedAt + answerMillis(watched.asks, leaseMillis) - at
}
