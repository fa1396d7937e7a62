/**
 * Shares: which part of the work that any engine could do is this engine's, where engines divide it among themselves.
 * By default an engine has all of it. Correctness does not depend on this: the fence in each write decides.
 */
import { Context } from "effect"
import type { Placement } from "../../domain/Placement.js"
import type { SessionId } from "../../domain/Session.js"

export interface Service {
  /** Whether this engine comes first when a session was left behind. */
  readonly isOwn: (sessionId: SessionId, placement: Placement | null) => boolean
  /** Whether this engine does the upkeep, from its first change on. */
  readonly keepsUp: boolean
}

export class Shares extends Context.Reference<Shares>()("skein/Shares", {
  defaultValue: (): Service => ({ isOwn: () => true, keepsUp: true })
}) {}
