/** Dice that fall the same way for the same numbers. */
import { Hash, Utils } from "effect"

export interface Dice {
  readonly chance: (probability: number) => boolean
  readonly below: (limit: number) => number
  readonly pick: <A>(options: ReadonlyArray<A>) => A
}

export const make = (...numbers: ReadonlyArray<number>): Dice => {
  const random = new Utils.PCGRandom(Hash.array(numbers) >>> 0)
  return {
    chance: (probability) => random.number() < probability,
    below: (limit) => random.integer(limit),
    pick: (options) => {
      const picked = options[random.integer(options.length)]
      if (picked === undefined) throw new Error("nothing to pick from")
      return picked
    }
  }
}
