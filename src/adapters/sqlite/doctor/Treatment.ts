/** Looking and repairing in turn, which is the same for everything that a doctor looks at. */
import { Effect } from "effect"
import type { Aside } from "../Aside.js"
import type { Finding, Outcome } from "./Finding.js"
import { found } from "./Repairs.js"

/** What there is to find, and whether there is any sense in looking further. */
export interface Look {
  readonly findings: ReadonlyArray<Finding>
  readonly isSound: boolean
}

export const isRepaired = ({ _tag }: Outcome): boolean => _tag === "Repaired"

/** Most looks that a repair takes. */
const maxRounds = 4

interface Treatment<E1, R1, E2, R2> {
  /** Where a repair moves what is in the way. Null when nothing is repaired. */
  readonly aside: Aside | null
  readonly look: Effect.Effect<Look, E1, R1>
  readonly repair: (findings: ReadonlyArray<Finding>, aside: Aside) => Effect.Effect<ReadonlyArray<Outcome>, E2, R2>
  /** The first look, if it is another one. */
  readonly first?: Effect.Effect<Look, E1, R1>
}

/** Looks and, if there is a place for what is in the way, repairs and looks until nothing more can be repaired. */
export const run = <E1, R1, E2, R2>({ aside, look, repair, first = look }: Treatment<E1, R1, E2, R2>) =>
  Effect.gen(function* () {
    const repaired: Array<Outcome> = []
    let seen = yield* first
    for (let round = 1; ; round++) {
      const { findings, isSound } = seen
      const outcomes = aside === null || round === maxRounds ? findings.map(found) : yield* repair(findings, aside)
      if (!outcomes.some(isRepaired)) return { outcomes: [...repaired, ...outcomes], isSound }
      repaired.push(...outcomes.filter(isRepaired))
      seen = yield* look
    }
  })
