/**
 * Whether the engine that holds a lease still lives. What is decided here only says when a session is taken over, never
 * what is stored: that is the fencing number's part.
 *
 * Death is proven, never guessed:
 * - a process of another boot is dead;
 * - one of this boot and pid namespace is dead when its pid is gone, or belongs to a process with another start time;
 * - an engine of this very process is dead when its process-wide registry no longer has it;
 * - of all others nothing is known.
 *
 * An engine that is not proven dead keeps its lease by signs of life: a count that it raises again and again, with the
 * time on a clock that cannot be set. A lease without a new sign for its whole time has expired. Engines on one host
 * share that clock and compare; others wait for the time to pass on their own. The wall clock has no part in it.
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
  if (engine.bootId !== self.bootId) return self.bootId === "" || engine.bootId === "" ? "unknown" : "dead"
  if (engine.pidNamespace !== self.pidNamespace || self.bootId === "") return "unknown"
  if (engine.pid === self.pid && engine.startTime === self.startTime) return sighting.instanceKnown ? "alive" : "dead"
  return sighting.startTime === engine.startTime ? "alive" : "dead"
}

/** What somebody saw last of a lease's engine, and since when on the own clock. */
export interface LeaseWatch {
  readonly fence: number
  readonly count: number
  readonly since: number
}

/**
 * Whether a lease stands: held, over for a reason, or not to be told but by watching longer. `watched` is for the next
 * look at the same session.
 */
export type Standing =
  | { readonly _tag: "Held"; readonly watched: LeaseWatch | null }
  | { readonly _tag: "Over"; readonly reason: TakeoverReason }
  | { readonly _tag: "Unclear"; readonly watched: LeaseWatch }

const held: Standing = { _tag: "Held", watched: null }
const over = (reason: TakeoverReason): Standing => ({ _tag: "Over", reason })

/**
 * Whether the lease of an engine stands, as far as `now` on the own clock can tell. `watched` is what the last look at
 * the session gave, if there was one. A sign from the future of a shared clock was given before the host's last boot.
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
