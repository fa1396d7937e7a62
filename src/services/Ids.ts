/** New ids: 128 random bits each, so that they are unique across processes and cannot be guessed. */
import { Context, type Effect } from "effect"

export type Prefix = "ses" | "run" | "call" | "ask" | "ast" | "eng" | "lane" | "upl" | "imp" | "key"

export interface Service {
  /** `prefix_` and 26 characters of a-z and 2-7. */
  readonly next: (prefix: Prefix) => Effect.Effect<string>
}

export class Ids extends Context.Tag("skein/Ids")<Ids, Service>() {}

const digits = "abcdefghijklmnopqrstuvwxyz234567"

/** The id for a number of at most 130 bits. */
export const format = (prefix: Prefix, number: bigint): string =>
  `${prefix}_${Array.from(number.toString(32).padStart(26, "0"), (digit) => digits.charAt(Number.parseInt(digit, 32))).join("")}`
