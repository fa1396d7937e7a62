/** Texts that are safe in a request: providers refuse a whole request because of one lone surrogate. */

/** The text with each lone surrogate replaced by U+FFFD. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\uFFFD")

/** The text with each lone surrogate and each NUL replaced by U+FFFD: as any database stores it. */
export const storable = (text: string): string => wellFormed(text).replaceAll("\0", "\uFFFD")

/** Whether a text comes back from a TEXT column as it was: it has no lone surrogates and no NUL. */
export const isStorable = (text: string): boolean => storable(text) === text
