/**
 * Waits for what may hang, on a machine that may be slow. The wait is given up once nothing has happened in many checks
 * in a row, not after a fixed time. A check that finds nothing new does a fixed piece of work, so that checks take
 * longer on a machine where everything does.
 */
import { Effect } from "effect"
import { pbkdf2Sync } from "node:crypto"
import { broken } from "./BrokenPromise.js"

/** On an idle machine half a minute, and over two seconds of work: more than any of our processes spends in silence. */
const looks = 120
const interval = "250 millis"

const work = Effect.sync(() => void pbkdf2Sync("", "", 100_000, 32, "sha256"))

export interface Waiting {
  /** A text that changes with everything that happens. */
  readonly signs: () => string
  /** What is waited for. */
  readonly during: () => string
}

/** Runs an effect, and dies of `Broken` if it hangs. What hangs is interrupted, and not waited for. */
export const wait = <A, E, R>(effect: Effect.Effect<A, E, R>, { during, signs }: Waiting): Effect.Effect<A, E, R> => {
  const giveUp = Effect.gen(function* () {
    let last = signs()
    for (let still = 0; still < looks; still++) {
      yield* Effect.sleep(interval)
      const now = signs()
      if (now === last) yield* work
      else still = 0
      last = now
    }
    return broken("progress", `nothing has happened in ${looks} looks: ${during()}`)
  })
  return Effect.raceFirst(Effect.disconnect(effect), giveUp)
}
