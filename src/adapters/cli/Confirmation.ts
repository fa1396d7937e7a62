/** The answer of a person who is asked whether to go on. */

/** No input, and anything that is not yes, is no. */
export const isYes = (line: string | null): boolean => /^\s*y(es)?\s*$/i.test(line ?? "")
