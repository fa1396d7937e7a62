/** Dice that fall the same for the same numbers. */
import { Hash, Utils } from "effect"
import type { Dice } from "../simulation/World.js"

export type { Dice }

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
