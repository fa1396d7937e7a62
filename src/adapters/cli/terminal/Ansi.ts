/** Skein's own colours: the only escape sequences that it writes, and none where they are not wanted. */
export interface Ansi {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
}

/** Line ends are left out. */
const style =
  (open: number, close: number) =>
  (text: string): string =>
    text.replace(/[^\n]+/g, `\x1b[${open}m$&\x1b[${close}m`)

const asItIs = (text: string): string => text

/** @internal */
export const none: Ansi = { bold: asItIs, dim: asItIs, red: asItIs, green: asItIs, yellow: asItIs }

const colours: Ansi = {
  bold: style(1, 22),
  dim: style(2, 22),
  red: style(31, 39),
  green: style(32, 39),
  yellow: style(33, 39)
}

export const make = (isColoured: boolean): Ansi => (isColoured ? colours : none)

/** Erases everything from the cursor on. */
export const eraseBelow = "\x1b[0J"

export const hideCursor = "\x1b[?25l"

export const showCursor = "\x1b[?25h"

/** Goes to the start of the line that is `rows` rows above. */
export const up = (rows: number): string => (rows === 0 ? "\r" : `\x1b[${rows}A\r`)

/** A cursor of our own, where the next character will appear. */
export const cursor = "\x1b[7m \x1b[27m"

/** Shows all of the text in one update, in terminals that can. */
export const atOnce = (text: string): string => `\x1b[?2026h${text}\x1b[?2026l`
