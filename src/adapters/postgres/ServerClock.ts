/**
 * The server's clock, estimated from statements that are sent anyway: each answer that contains a time bounds how far
 * the server is ahead of this process. The estimate moves only when it is outside the bounds.
 */
import { Schema } from "effect"

export interface ServerClock {
  /** Milliseconds by which the server's clock is ahead. */
  readonly ahead: () => number
  /** The time that the server's clock shows. */
  readonly now: () => number
  /** Call it when asking for a time, and call the returned function with the rows of the answer when that arrives. */
  readonly ask: () => (rows: ReadonlyArray<unknown>) => void
}

/** What a statement selects as `time`: in milliseconds, rounded down. */
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

/** The clock of a server that shows this process's time: for tests that use their own clock. */
export const same = (own: () => number): ServerClock => ({ ahead: () => 0, now: own, ask: () => () => {} })
