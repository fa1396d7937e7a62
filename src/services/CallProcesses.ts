/**
 * The processes that calls have started on this host. `Exec` marks them with their call's id, so that those are found
 * which outlive an engine that was killed. A call starts once, so no other call's process has the same mark.
 *
 * Nothing is found where the platform does not tell, which is the default; nor a process that has cleared its mark.
 */
import { Context, Effect } from "effect"
import type { CallId } from "../domain/Message.js"

export interface Service {
  /** Ends what these calls have started, with its process groups. Returns once it has ended, or does not end. */
  readonly end: (callIds: ReadonlyArray<CallId>) => Effect.Effect<void>
}

export class CallProcesses extends Context.Reference<CallProcesses>()("skein/CallProcesses", {
  defaultValue: (): Service => ({ end: () => Effect.void })
}) {}
