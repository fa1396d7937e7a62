/**
 * Shares: what of the work that any engine could do is this one's, where engines divide it among themselves. An engine
 * that nobody told has all of it. Nothing is believed of this for correctness: the fence in each write decides.
 */
import { Context } from "effect"
import type { Placement } from "../../domain/Placement.js"
import type { SessionId } from "../../domain/Session.js"

export interface Service {
  /** Whether this engine comes first when a session was left behind. */
  readonly isOwn: (sessionId: SessionId, placement: Placement | null) => boolean
  /** Whether upkeep is this engine's from its first change on. */
  readonly keepsUp: boolean
}

export class Shares extends Context.Reference<Shares>()("skein/Shares", {
  defaultValue: (): Service => ({ isOwn: () => true, keepsUp: true })
}) {}
