/**
 * What is shown while an engine opens, if that takes long: the progress of the copy that is made before a migration.
 *
 * A signal during the copy abandons the copy, and the database stays as it was. The migration after it is one step: a
 * signal ends the process immediately, and the database stays as it was too.
 */
import { Effect } from "effect"
import { WorkProgress } from "../../services/WorkProgress.js"
import { Signals } from "./Signals.js"
import * as Progress from "./terminal/Progress.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Maintenance.js"

const subject = { label: Texts.copyingFirst, unit: "bytes", mayBeNothing: true }

export const during = <A, E, R>(open: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { arm, disarm } = yield* Signals
    const screen = yield* Screen
    const migrating = Effect.zipRight(disarm, screen.show({ tasks: [], status: Texts.migrating }))
    return yield* Progress.during(subject, (report) =>
      Effect.provideService(open, WorkProgress, (_, done, total) =>
        done === total ? migrating : Effect.zipRight(arm, report(done, total))
      )
    )
  })
