/** Looks of a doctor at a data folder, by a process of its own: a second copy of a file's locks would disturb an engine. */
import { Effect, Option, Schema } from "effect"
import { bundle } from "../../support/programs/Bundle.js"
import { start } from "../../support/programs/Process.js"

/** Found from bundles as well, which lie as deep. */
const program = new URL("../../../test/campaigns/load/looker.ts", import.meta.url)

const decode = Schema.decodeUnknownOption(Schema.parseJson(Schema.Array(Schema.String)))

export interface Looks {
  readonly looks: number
  /** How many of them called something damage. */
  readonly alarms: number
  /** What was called damage. */
  readonly said: ReadonlySet<string>
}

/** Looks until it is enough. */
export const until = (data: string, isEnough: (looks: number) => Effect.Effect<boolean>) =>
  Effect.gen(function* () {
    const looker = yield* start(process.execPath, [yield* bundle(program), data])
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
