/** Receives how many sessions a check has finished, and how many there are. Does nothing by default. */
import { Context, Effect } from "effect"

export interface Service {
  readonly report: (done: number, total: number) => Effect.Effect<void>
}

export class CheckProgress extends Context.Reference<CheckProgress>()("skein/doctor/CheckProgress", {
  defaultValue: (): Service => ({ report: () => Effect.void })
}) {}
