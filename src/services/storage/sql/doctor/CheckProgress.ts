/** Is told how many sessions a check has looked at, and how many there are. By default nobody is. */
import { Context, Effect } from "effect"

export interface Service {
  readonly report: (done: number, total: number) => Effect.Effect<void>
}

export class CheckProgress extends Context.Reference<CheckProgress>()("skein/doctor/CheckProgress", {
  defaultValue: (): Service => ({ report: () => Effect.void })
}) {}
