/** Data that was not damaged must not be reported as damaged, whatever works on it or was killed while it did. */
import { Effect } from "effect"
import * as Findings from "../../../src/adapters/cli/texts/Findings.js"
import * as Identity from "../../../src/adapters/node/Identity.js"
import * as Doctor from "../../../src/adapters/sqlite/doctor/Doctor.js"
import { isDamage } from "../../../src/services/storage/sql/doctor/Finding.js"
import { broken } from "./BrokenPromise.js"

/** Everything that a doctor reports as damage in a data folder. */
export const alarmsIn = (data: string) =>
  Effect.map(Effect.provide(Doctor.look(data), Identity.layer), (outcomes) =>
    outcomes.filter(isDamage).map(Findings.line)
  )

/** Throws if a doctor reports any damage. */
export const check = (data: string) =>
  Effect.map(alarmsIn(data), ([alarm]) => (alarm === undefined ? undefined : broken("doctor", alarm)))
