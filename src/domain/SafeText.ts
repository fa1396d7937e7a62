/** Texts that survive a request: providers refuse the whole of it for one half of a surrogate pair. */

/** The text with each lone surrogate replaced by U+FFFD. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\uFFFD")

/** The text with each lone surrogate and each NUL replaced by U+FFFD: as any database stores it. */
export const storable = (text: string): string => wellFormed(text).replaceAll("\0", "\uFFFD")

/** Whether a text comes back from a TEXT column as it was: without half surrogate pairs and NUL. */
export const isStorable = (text: string): boolean => storable(text) === text
