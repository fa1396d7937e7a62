/**
 * Decides whether the engine that holds a lease is still alive. That only determines when a session is taken over,
 * never what is stored: the fencing number takes care of that.
 *
 * Death is proven, never guessed:
 * - about an engine on another host nothing is known, whatever its boot, its pid and its clock; where several hosts
 *   share a storage, another boot may be another host's;
 * - a process of another boot of this host is dead;
 * - a process of this boot and pid namespace is dead when its pid is gone, or now has another start time;
 * - an engine of this very process is dead when the process-wide registry no longer has it;
 * - about all others nothing is known.
 *
 * An engine that is not proven dead keeps its lease by signs of life. Each sign raises a count, and has the time on a
 * clock that cannot be set and how long the engine holds its leases. Engines on one host share that clock and compare
 * times; others wait for the time to pass on their own clock. The wall clock plays no part.
 *
 * Silence alone does not end a lease: storage may have been held up for everybody, including the engine's signs. A
 * silent engine is asked twice. The engine that asks stores something, so it knows that storage takes writes again. The
 * first time, the silent engine has as long as it takes to give a sign anyway; the second time, as long as a waiting
 * sign needs to be stored.
 */
import type { Beat, EngineId, TakeoverReason, Sign } from "./Lease.js"

export type Liveness = "alive" | "dead" | "unknown"

/** What this process can see of another engine. */
export interface Sighting {
  /** The start time of the process that has the engine's pid now; null when no process has it. */
  readonly startTime: string | null
  /** Whether the registry of this process has the instance. */
  readonly instanceKnown: boolean
}

/** Whether `engine` is still alive, as far as `self` can prove. */
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
 * Returns how many milliseconds after its newest stored sign of life, on its own clock, an engine stops its runs by
 * itself where engines of other hosts may take them over. Those do so after one and a half times the lease at the
 * earliest (see `standing`): that is later even on a clock that is twice as fast.
 */
export const silenceMillis = (leaseMillis: number): number => (2 * leaseMillis) / 3

/** Whether an engine may go on with its runs this many milliseconds after that sign. */
export const mayGoOn = (millis: number, leaseMillis: number): boolean => millis < silenceMillis(leaseMillis)

/** Signs of life that an engine gives in the time of a lease: one of them may come late. */
export const signsInLease = 3

/** Milliseconds that a silent engine has to answer when it is asked the second time. */
const graceMillis = 1_000

/** An engine has half the time of a lease to answer the first time: a sign is due by then, even if one comes late. */
const answerMillis = (asks: number, leaseMillis: number): number => (asks === 1 ? leaseMillis / 2 : graceMillis)

/**
 * What an observer last saw of the engine that holds a lease, and since when; how often it asked the engine, and when
 * last. Times are on the observer's own clock.
 */
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

/** Returns the watch after the engine was asked. */
export const asked = (watched: LeaseWatch, { at }: Sign): LeaseWatch => ({
  ...watched,
  asks: watched.asks + 1,
  askedAt: at
})

/**
 * Whether a lease stands: it is held; it is over, for a reason; only watching longer will tell (`Unclear`); or the
 * engine must be asked (`Silent`). `watched` is for the next check of the same session.
 */
export type Standing =
  | { readonly _tag: "Held"; readonly watched: LeaseWatch | null }
  | { readonly _tag: "Over"; readonly reason: TakeoverReason }
  | { readonly _tag: "Unclear"; readonly watched: LeaseWatch }
  | { readonly _tag: "Silent"; readonly watched: LeaseWatch }

const held: Standing = { _tag: "Held", watched: null }
const over = (reason: TakeoverReason): Standing => ({ _tag: "Over", reason })

/**
 * Returns whether the lease of an engine stands, as far as `now` on the caller's own clock can tell. `watched` is what
 * the last check of the session returned, if there was one. `leaseMillis` applies to an engine that has stored none of
 * its own.
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
    // A sign that came late because storage was held up is a sign of life all the same.
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

/** Returns after how many milliseconds another check tells more, if a silent engine is asked now. */
export const waitMillis = (
  { _tag, watched }: Extract<Standing, { readonly _tag: "Unclear" | "Silent" }>,
  { at }: Sign,
  leaseMillis: number
): number => {
  if (_tag === "Silent") return answerMillis(watched.asks + 1, leaseMillis)
  if (watched.asks === 0) return watched.since + leaseMillis - at
  return watched.askedAt + answerMillis(watched.asks, leaseMillis) - at
}
