/** Texts that survive a request: providers refuse the whole of it for one half of a surrogate pair. */

/** The text with each lone surrogate replaced by U+FFFD. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\uFFFD")
