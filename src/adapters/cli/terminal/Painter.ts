/**
 * The text that a terminal must be sent so that finished lines stay in it for good, and `Bottom` is below them.
 *
 * Between two texts the cursor is at the beginning of the bottom's first row, so the next text begins by erasing the
 * terminal from there on. A terminal that rewraps its rows when its width changes moves the cursor along, so nothing is
 * left behind and nothing above is lost.
 *
 * A line that is longer than its room at the bottom is broken where it ran out of it; all other lines are sent whole,
 * and the terminal wraps them itself.
 */
import * as Ansi from "./Ansi.js"
import * as Bottom from "./Bottom.js"

export interface Painter {
  /** Text to add after what was written: finished lines, and the beginning of one that is not. */
  readonly write: (text: string) => string
  /** Finished lines to add, above a line that is being written. */
  readonly insert: (lines: string) => string
  /** Changes what is at the bottom. */
  readonly change: (change: Partial<Bottom.Bottom>) => string
  /** Shows what has changed since, such as the time. */
  readonly tick: () => string
  /** Takes the bottom away until the next text. */
  readonly pause: () => string
  /** Takes the bottom away, ends a line that is being written, shows the cursor. */
  readonly end: () => string
  readonly bottom: () => Bottom.Bottom
}

export interface Options {
  readonly ansi: Ansi.Ansi
  readonly size: () => Bottom.Size
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Whether the bottom is shown; finished lines always are. */
  readonly isShown: () => boolean
  /** Whether to hide the cursor. It must not be hidden when it cannot be shown again at a signal. */
  readonly hidesCursor: () => boolean
}

const nothing: Bottom.Layout = { above: [], rows: [] }

/** A line that grows fast is shown at most this often. */
const frameMillis = 30

export const make = ({ ansi, hidesCursor, isShown, now, size }: Options): Painter => {
  let bottom = Bottom.empty
  /** What is shown of the bottom, and since when; null for nothing. */
  let shown: { readonly rows: string; readonly at: number } | null = null
  let isHidden = false

  const rowText = ({ hasCursor, style, text }: Bottom.Row): string =>
    (style === null ? text : ansi[style](text)) + (hasCursor === true ? Ansi.cursor : "")

  const paint = (finished: string): string => {
    const { above, rows } = isShown() ? Bottom.layout(bottom, size(), now()) : nothing
    bottom = { ...bottom, line: bottom.line.slice(above.join("").length) }
    const settled = finished + above.map((row) => `${row}\n`).join("")
    const painted = rows.map(rowText).join("\n")
    if (settled === "" && painted === (shown?.rows ?? "")) return ""
    if (rows.length === 0) return pause() + settled
    const erased = shown === null ? "" : Ansi.eraseBelow
    const hidden = isHidden || !hidesCursor() ? "" : Ansi.hideCursor
    shown = { rows: painted, at: now() }
    isHidden = isHidden || hidden !== ""
    return Ansi.atOnce(hidden + erased + settled + painted + Ansi.up(rows.length - 1))
  }

  const pause = () => {
    const text = (shown === null ? "" : Ansi.eraseBelow) + (isHidden ? Ansi.showCursor : "")
    shown = null
    isHidden = false
    return text
  }

  return {
    write: (text) => {
      const all = bottom.line + text
      const end = all.lastIndexOf("\n") + 1
      bottom = { ...bottom, line: all.slice(end) }
      const isSoon = end === 0 && shown !== null && now() - shown.at < frameMillis
      return isSoon ? "" : paint(all.slice(0, end))
    },
    insert: paint,
    change: (change) => {
      bottom = { ...bottom, ...change }
      return paint("")
    },
    tick: () => paint(""),
    pause,
    end: () => {
      const line = bottom.line === "" ? "" : `${bottom.line}\n`
      bottom = Bottom.empty
      return pause() + line
    },
    bottom: () => bottom
  }
}
