/** Texts as a shell reads them, for commands that a person can copy. Pure. */
import * as TerminalText from "./terminal/TerminalText.js"

/** One word of a shell's command line. */
export const word = (text: string): string =>
  /^[\w./:@=,+-]+$/u.test(text) ? text : `'${TerminalText.line(text).replaceAll("'", `'\\''`)}'`

const longestMessage = 120

/** A message as people write it, in double quotes where they do; `"MESSAGE"` for one that cannot be shown as it is. */
export const message = (text: string): string => {
  if (text.length > longestMessage || TerminalText.line(text) !== text) return '"MESSAGE"'
  return /["$`\\!]/.test(text) ? word(text) : `"${text}"`
}
