/** Texts that survive a request: providers refuse the whole of it for one half of a surrogate pair. */

/** The text with each lone surrogate replaced by U+FFFD. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\uFFFD")

/** Whether a text comes back from a TEXT column as it was: without half surrogate pairs and NUL. */
export const isStorable = (text: string): boolean => wellFormed(text) === text && !text.includes("\0")
