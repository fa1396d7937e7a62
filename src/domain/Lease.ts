/**
 * Who runs a session. A lease is the session's fencing number together with its owner: whoever takes the session over
 * raises the number, and every write of a run carries the number under which it was started.
 *
 * Death is proven, never guessed: a process of another boot is dead; one of this boot and pid namespace is dead when
 * its pid is gone or belongs to a process with another start time; an instance of this very process is dead when its
 * process-wide registry no longer has it. All else is unknown, and unknown counts as alive.
 */
import { Schema } from "effect"
import { RunId } from "./Run.js"
import { SessionId } from "./Session.js"

export const Owner = Schema.Struct({
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
export type Owner = typeof Owner.Type

export const Lease = Schema.Struct({ sessionId: SessionId, runId: RunId, fence: Schema.Int })
export type Lease = typeof Lease.Type

export type Liveness = "alive" | "dead" | "unknown"

/** What this process can see of another owner. */
export interface Sighting {
  /** The start time of the process that has the owner's pid now; null when there is none. */
  readonly startTime: string | null
  /** Whether the registry of this process has the instance. */
  readonly instanceKnown: boolean
}

/** Whether `owner` still lives, as far as `self` can prove. */
export const liveness = (self: Owner, owner: Owner, sighting: Sighting): Liveness => {
  if (owner.bootId !== self.bootId) return self.bootId === "" || owner.bootId === "" ? "unknown" : "dead"
  if (owner.pidNamespace !== self.pidNamespace || self.bootId === "") return "unknown"
  if (owner.pid === self.pid && owner.startTime === self.startTime) return sighting.instanceKnown ? "alive" : "dead"
  return sighting.startTime === owner.startTime ? "alive" : "dead"
}
