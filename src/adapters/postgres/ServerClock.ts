/**
 * The server's clock, as far as it shows by what is asked anyway: each answer with a time in it bounds by how much the
 * server is ahead of this process. What is taken for it stays within the bounds, and does not move while it is.
 */
import { Schema } from "effect"

export interface ServerClock {
  /** Milliseconds by which the server's clock is ahead. */
  readonly ahead: () => number
  /** What it shows. */
  readonly now: () => number
  /** Call it when a time is asked for; and what it returns, with the rows of the answer, when that comes. */
  readonly ask: () => (rows: ReadonlyArray<unknown>) => void
}

/** What a statement selects as `time`: in milliseconds, cut off. */
export const time = `floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS "time"`

const decode = Schema.decodeUnknownSync(Schema.NonEmptyArray(Schema.Struct({ time: Schema.Number })))

/** `own` is what this process's clock shows. */
export const make = (own: () => number): ServerClock => {
  let ahead = 0
  return {
    ahead: () => ahead,
    now: () => own() + ahead,
    ask: () => {
      const asked = own()
      return (rows) => {
        const [{ time }] = decode(rows)
        ahead = Math.max(time - own() - 1, Math.min(ahead, time - asked + 1))
      }
    }
  }
}

/** Of a server that goes by this process's clock: for tests, whose clocks are their own. */
export const same = (own: () => number): ServerClock => ({ ahead: () => 0, now: own, ask: () => () => {} })
