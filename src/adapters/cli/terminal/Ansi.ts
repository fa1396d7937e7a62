/** Skein's own colours: the only escape sequences that it writes, and none where they are not wanted. */
export interface Ansi {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
}

/** The end of the line is left out of it. */
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

/** Goes to the start of the line and empties it. */
export const eraseLine = "\r\x1b[2K"
