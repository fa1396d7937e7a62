/**
 * Texts as a shell reads them, for commands that a person can copy. Pure; the caller makes them harmless.
 */

/** One word of a shell's command line. */
export const word = (text: string): string =>
  /^[\w./:@=,+-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

const longestMessage = 120

/** A message as people write it, in double quotes if it can be; `"MESSAGE"` for one that is long or not plain text. */
export const message = (text: string): string => {
  if (text.length > longestMessage || !/^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(text)) return '"MESSAGE"'
  return /["$`\\!]/.test(text) ? word(text) : `"${text}"`
}
