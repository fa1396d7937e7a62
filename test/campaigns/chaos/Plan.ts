/** What goes wrong in a campaign, and when. All of it follows from the seed. */
import * as Dice from "../../support/verdicts/Dice.js"

export const kinds = ["kill", "stop", "term", "join", "database", "peers"] as const
export type Kind = (typeof kinds)[number]

export interface Options {
  readonly seed: number
  /** How long messages are sent and things go wrong. */
  readonly millis: number
  readonly sessions: number
  readonly runners: number
  /** Time between two messages to a session. */
  readonly messageMillis: number
  /** Time between two faults. */
  readonly faultMillis: number
  /** How long a process is stopped, or a network cut. */
  readonly stopMillis: readonly [least: number, most: number]
  readonly leaseMillis: number
  /** Whether the cluster has its default settings, including the lease. */
  readonly isByDefault: boolean
  /** No session with a run may show nothing for longer than this. */
  readonly silenceMillis: number
  /** How long each call takes. */
  readonly workMillis: number
  /** One message in `longEvery` has `longCalls` calls, one after the other; all others have one. */
  readonly longEvery: number
  readonly longCalls: number
}

export interface Fault {
  readonly at: number
  readonly kind: Kind
  /** Picks one of the runners that are well at the time: this number modulo their count. */
  readonly target: number
  readonly millis: number
}

/** How many calls the message with this number has, counted from 1, in the session with this number. */
export const calls = ({ longCalls, longEvery }: Options, session: number, message: number): number =>
  (session + message) % longEvery === 0 ? longCalls : 1

/** Each kind comes once before any comes again, in a random order. */
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
