/** Looking and repairing in turn, which is the same for everything that a doctor looks at. */
import { Effect } from "effect"
import type { Finding, Outcome } from "./Finding.js"

/** What there is to find, and whether there is any sense in looking further. */
export interface Look {
  readonly findings: ReadonlyArray<Finding>
  readonly isSound: boolean
}

export const isRepaired = ({ _tag }: Outcome): boolean => _tag === "Repaired"

/** Most looks that a repair takes. */
const maxRounds = 6

interface Treatment<E1, R1, E2, R2> {
  readonly look: Effect.Effect<Look, E1, R1>
  /** The first look, if it is another one. */
  readonly first?: Effect.Effect<Look, E1, R1>
  /** What is said of a finding that nothing is done about. */
  readonly found: (finding: Finding) => Outcome
  /** Null when nothing is repaired. */
  readonly repair: ((findings: ReadonlyArray<Finding>) => Effect.Effect<ReadonlyArray<Outcome>, E2, R2>) | null
}

/** Looks and, if it is to repair, repairs and looks until nothing more can be repaired. */
export const run = <E1, R1, E2 = never, R2 = never>({ found, look, repair, first = look }: Treatment<E1, R1, E2, R2>) =>
  Effect.gen(function* () {
    const repaired: Array<Outcome> = []
    let seen = yield* first
    for (let round = 1; ; round++) {
      const { findings, isSound } = seen
      const outcomes = repair === null || round === maxRounds ? findings.map(found) : yield* repair(findings)
      if (!outcomes.some(isRepaired)) return { outcomes: [...repaired, ...outcomes], isSound }
      repaired.push(...outcomes.filter(isRepaired))
      seen = yield* look
    }
  })
