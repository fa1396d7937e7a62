/** What every storage promises: properties that a test can falsify. A test's name begins with its promise's number. */

const promises = {
  P1: "one order: results are in the order in which the model asked for them, messages without a gap",
  P2: "seen means stored: what was acknowledged is there, for every reader, after every crash",
  P4: "always sendable: every transcript is one that a provider accepts, however a run ends",
  P5: "at most once: a call starts once, its first result wins, a key makes one run",
  P6: "reads never write",
  P7: "one boundary: a change is checked and made in one commit, and nothing resurrects a deleted session",
  P9: "many processes: one engine per session, and a fence that each new lease raises",
  P10: "a slow reader loses nothing: cursors have no gaps, and what is announced can be read",
  P11: "no leftovers: a deletion leaves nothing behind",
  P12: "clear refusal: bad input is refused by field and limit, before anything changes"
} as const

export type Number = keyof typeof promises

const isNumber = (text: string): text is Number => text in promises

/** The numbers of the promises, in order. */
export const numbers: ReadonlyArray<Number> = Object.keys(promises).filter(isNumber)

/** The promise that a test's name begins with. Null when the test is about the rest of the contract. */
export const promiseOf = (name: string): Number | null => {
  const [first = ""] = name.split(" ")
  return isNumber(first) ? first : null
}

/** The heading for the tests of a promise. */
export const title = (promise: Number | null): string =>
  promise === null ? "the contract" : `${promise} ${promises[promise]}`
