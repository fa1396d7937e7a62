/**
 * The processes that calls have started on this host. `Exec` marks them with their call's id, so that processes that
 * outlive a killed engine can be found. A call starts once, so no other call's process has the same mark.
 *
 * Nothing is found where the platform cannot tell, which is the default; nor is a process that has cleared its mark.
 */
import { Context, Effect } from "effect"
import type { CallId } from "../domain/Message.js"

export interface Service {
  /** Ends what these calls have started, with its process groups. Returns once that has ended, or will not end. */
  readonly end: (callIds: ReadonlyArray<CallId>) => Effect.Effect<void>
}

export class CallProcesses extends Context.Reference<CallProcesses>()("skein/CallProcesses", {
  defaultValue: (): Service => ({ end: () => Effect.void })
}) {}
