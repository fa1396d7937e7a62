/**
 * A doctor checks a data folder repeatedly, in a process of its own: in an engine's process it would disturb that
 * engine's file locks.
 */
import { Effect, Option, Schema } from "effect"
import { bundle } from "../../support/programs/Bundle.js"
import { start } from "../../support/programs/Process.js"

/** Also found from bundles, because they lie at the same depth. */
const program = new URL("../../../test/campaigns/load/looker.ts", import.meta.url)

const decode = Schema.decodeUnknownOption(Schema.parseJson(Schema.Array(Schema.String)))

export interface Looks {
  readonly looks: number
  /** How many checks reported damage. */
  readonly alarms: number
  /** What was reported as damage. */
  readonly said: ReadonlySet<string>
}

/** Repeats checks until `isEnough` says so. */
export const until = (data: string, isEnough: (looks: number) => Effect.Effect<boolean>) =>
  Effect.gen(function* () {
    const looker = yield* start(process.execPath, [yield* bundle(program, { whole: true }), data])
    const said = new Set<string>()
    let looks = 0
    let alarms = 0
    while (!(yield* isEnough(looks))) {
      const line = yield* looker.line
      const seen = Option.flatMap(line, decode)
      if (Option.isNone(seen)) return yield* Effect.dieMessage((yield* looker.ended).stderr)
      looks++
      if (seen.value.length > 0) alarms++
      for (const alarm of seen.value) said.add(alarm)
    }
    return { looks, alarms, said } satisfies Looks
  }).pipe(Effect.scoped)
