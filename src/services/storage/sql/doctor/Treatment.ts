/** Checking and repairing in turn. It is the same for everything that a doctor checks. */
import { Effect } from "effect"
import type { Finding, Outcome } from "./Finding.js"

/** The findings of a check, and whether further checks make sense. */
export interface Look {
  readonly findings: ReadonlyArray<Finding>
  readonly isSound: boolean
}

export const isRepaired = ({ _tag }: Outcome): boolean => _tag === "Repaired"

/** Most checks in one repair. */
const maxRounds = 6

interface Treatment<E1, R1, E2, R2> {
  readonly look: Effect.Effect<Look, E1, R1>
  /** The first check, if it differs from the later ones. */
  readonly first?: Effect.Effect<Look, E1, R1>
  /** The outcome of a finding that nothing is done about. */
  readonly found: (finding: Finding) => Outcome
  /** Null for a check without repairs. */
  readonly repair: ((findings: ReadonlyArray<Finding>) => Effect.Effect<ReadonlyArray<Outcome>, E2, R2>) | null
}

/** Checks and, with a `repair`, repairs and checks again until nothing more can be repaired. */
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
