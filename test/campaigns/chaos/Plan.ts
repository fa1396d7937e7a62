/** What goes wrong in a campaign, and when: all of it follows from the seed. */
import * as Dice from "../../support/verdicts/Dice.js"

export const kinds = ["kill", "stop", "term", "join", "database", "peers"] as const
export type Kind = (typeof kinds)[number]

export interface Options {
  readonly seed: number
  /** For how long messages are sent and things go wrong. */
  readonly millis: number
  readonly sessions: number
  readonly runners: number
  /** Between two messages to a session. */
  readonly messageMillis: number
  /** Between two faults. */
  readonly faultMillis: number
  /** A process is stopped, and a network cut, for so long. */
  readonly stopMillis: readonly [least: number, most: number]
  readonly leaseMillis: number
  /** Whether all settings of the cluster are as they are by default, the lease among them. */
  readonly isByDefault: boolean
  /** No session with a run may show nothing for longer. */
  readonly silenceMillis: number
  /** How long each call takes. */
  readonly workMillis: number
  /** One message of so many has as many calls as `longCalls`, one after the other; all others have one. */
  readonly longEvery: number
  readonly longCalls: number
}

export interface Fault {
  readonly at: number
  readonly kind: Kind
  /** Of those that are well then, the one with this number, counted round. */
  readonly target: number
  readonly millis: number
}

/** How many calls a message has, of the session with this number, counted from 1. */
export const calls = ({ longCalls, longEvery }: Options, session: number, message: number): number =>
  (session + message) % longEvery === 0 ? longCalls : 1

/** Each kind comes once before any comes again, in an order of the dice. */
export const faults = ({ faultMillis, millis, seed, stopMillis: [least, most] }: Options): ReadonlyArray<Fault> => {
  const dice = Dice.make(seed)
  const all: Array<Fault> = []
  let left: Array<Kind> = []
  for (let at = faultMillis; at < millis; at += faultMillis) {
    if (left.length === 0) left = [...kinds]
    const kind = dice.pick(left)
    left = left.filter((other) => other !== kind)
    all.push({ at, kind, target: dice.below(1_000), millis: least + dice.below(most - least + 1) })
  }
  return all
}
