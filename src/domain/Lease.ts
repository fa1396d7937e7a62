/**
 * Who runs a session. A lease is the session's fencing number together with its engine: whoever takes the session over
 * raises the number, and every write of a run carries the number under which it was started. So at most one engine
 * writes, whatever anybody believes of anybody's life; what is decided here of an engine's life only says when a
 * session is taken over, not what is stored.
 *
 * Death is proven, never guessed: a process of another boot is dead; one of this boot and pid namespace is dead when
 * its pid is gone or belongs to a process with another start time; an instance of this very process is dead when its
 * process-wide registry no longer has it. All else is unknown.
 *
 * Whoever is not proven dead keeps a lease by signs of life: a count that it raises again and again, with the time on a
 * clock that no one can set. A lease without a new sign for its whole time has expired. Engines on one host share that
 * clock and compare; others wait for the time to pass on their own. The wall clock has no part in it.
 */
import { Schema } from "effect"
import { RunId } from "./Run.js"
import { SessionId } from "./Session.js"

export const EngineId = Schema.Struct({
  /** Changes with each boot of the host. */
  bootId: Schema.String,
  /** Pids mean something within one namespace only. */
  pidNamespace: Schema.String,
  pid: Schema.Int,
  /** When the process started, in the unit of its host; tells a reused pid apart. */
  startTime: Schema.String,
  /** One engine within the process. */
  instance: Schema.String
})
export type EngineId = typeof EngineId.Type

export const Lease = Schema.Struct({ sessionId: SessionId, runId: RunId, fence: Schema.Int })
export type Lease = typeof Lease.Type

/** Milliseconds on a host's monotonic clock. `clock` names it; an empty name stands for one that nobody else shares. */
export const Sign = Schema.Struct({ clock: Schema.String, at: Schema.Int })
export type Sign = typeof Sign.Type

/** The newest sign of life that storage has of an engine, and how many there were; 0 and none when it has none. */
export const Beat = Schema.Struct({ count: Schema.Int, sign: Schema.NullOr(Sign) })
export type Beat = typeof Beat.Type

export const silent: Beat = { count: 0, sign: null }

/** Who claims a session, and its sign of life as it does. */
export interface Presence {
  readonly engine: EngineId
  readonly sign: Sign
}

/** Why a session is taken over: its engine is dead, or has given no sign of life for the time of a lease. */
export type Reason = "crashed" | "lease-lost"

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
  if (engine.bootId !== self.bootId) return self.bootId === "" || engine.bootId === "" ? "unknown" : "dead"
  if (engine.pidNamespace !== self.pidNamespace || self.bootId === "") return "unknown"
  if (engine.pid === self.pid && engine.startTime === self.startTime) return sighting.instanceKnown ? "alive" : "dead"
  return sighting.startTime === engine.startTime ? "alive" : "dead"
}

/** What somebody saw last of a lease's engine, and since when on the own clock. */
export interface Watched {
  readonly fence: number
  readonly count: number
  readonly since: number
}

/**
 * Whether a lease stands: held, over for a reason, or not to be told but by watching longer. `watched` is for the next
 * look at the same session.
 */
export type Standing =
  | { readonly _tag: "Held"; readonly watched: Watched | null }
  | { readonly _tag: "Over"; readonly reason: Reason }
  | { readonly _tag: "Unclear"; readonly watched: Watched }

const held: Standing = { _tag: "Held", watched: null }
const over = (reason: Reason): Standing => ({ _tag: "Over", reason })

/**
 * Whether the lease of an engine stands, as far as `now` on the own clock can tell. `watched` is what the last look at
 * the session gave, if there was one. A sign from the future of a shared clock was given before the host's last boot.
 */
export const standing = (
  liveness: Liveness,
  { beat, fence }: { readonly beat: Beat; readonly fence: number },
  now: Sign,
  watched: Watched | null,
  leaseMillis: number
): Standing => {
  if (liveness === "dead") return over("crashed")
  const { count, sign } = beat
  if (sign !== null && sign.clock !== "" && sign.clock === now.clock) {
    if (sign.at > now.at) return over("crashed")
    return now.at - sign.at >= leaseMillis ? over("lease-lost") : held
  }
  if (watched === null || watched.fence !== fence) {
    return { _tag: "Unclear", watched: { fence, count, since: now.at } }
  }
  if (watched.count !== count) return { _tag: "Held", watched: { fence, count, since: now.at } }
  return now.at - watched.since >= leaseMillis ? over("lease-lost") : { _tag: "Unclear", watched }
}

/** A session as its lease sees it. `holder` is null while no run holds it. */
export interface Tenure {
  readonly fence: number
  readonly holder: { readonly instance: string; readonly count: number } | null
  readonly state: "live" | "deleting" | "gone"
}

export const free: Tenure = { fence: 0, holder: null, state: "live" }

/** A free session that is not being deleted is taken under a new fencing number; null when it is not to be had. */
export const take = (tenure: Tenure, instance: string): Tenure | null =>
  tenure.holder !== null || tenure.state !== "live"
    ? null
    : { ...tenure, fence: tenure.fence + 1, holder: { instance, count: 1 } }

/** A sign of life of an engine; without effect on a session that somebody else holds. */
export const renew = (tenure: Tenure, instance: string): Tenure =>
  tenure.holder?.instance === instance ? { ...tenure, holder: { instance, count: tenure.holder.count + 1 } } : tenure

/**
 * Takes a session over from the engine that was seen, under a new fencing number. Null when the lease is no longer the
 * one that was seen, or its engine has given a sign of life since.
 */
export const takeOver = (
  tenure: Tenure,
  seen: { readonly fence: number; readonly count: number },
  instance: string
): Tenure | null =>
  tenure.holder === null || tenure.fence !== seen.fence || tenure.holder.count !== seen.count
    ? null
    : { ...tenure, fence: tenure.fence + 1, holder: { instance, count: 1 } }

/** Whether a write that carries this fencing number counts. */
export const admits = (tenure: Tenure, fence: number): boolean =>
  tenure.holder !== null && tenure.fence === fence && tenure.state !== "gone"

/** The run has ended: the session is free. */
export const release = (tenure: Tenure): Tenure => ({ ...tenure, holder: null })

export const beginDeletion = (tenure: Tenure): Tenure => ({ ...tenure, state: "deleting" })

/** Hides a session whose deletion has begun; null while a run holds it. */
export const remove = (tenure: Tenure): Tenure | null =>
  tenure.state !== "deleting" || tenure.holder !== null ? null : { ...tenure, state: "gone" }
