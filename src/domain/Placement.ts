/**
 * Where the runs of a session can go on: a label that hosts choose, for a machine that has the session's folder, or for
 * several machines that have what it needs. A session without a placement goes on everywhere. With a storage of one
 * host that is right for all sessions. Where several hosts share a storage, a session whose tools need a folder names
 * its placement, or else the folder must be on all of the hosts. Pure.
 */
import { Schema } from "effect"

export const Placement = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9._-]{1,64}$/, { description: "a placement: 1 to 64 of A-Z a-z 0-9 . _ -" })
)
export type Placement = typeof Placement.Type

/** Whether an engine that serves these placements runs a session with this placement. */
export const isServed = (placement: Placement | null, served: ReadonlyArray<Placement>): boolean =>
  placement === null || served.includes(placement)
