/** What a person answers who is asked whether to go on. */

/** Nothing typed, and whatever is not yes, is no. */
export const isYes = (line: string | null): boolean => /^\s*y(es)?\s*$/i.test(line ?? "")
