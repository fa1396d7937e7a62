/**
 * The text that a terminal must be sent which only gets lines, such as a dumb one, so that the prompt of an open question
 * stays the last thing in it. What comes meanwhile begins on a line of its own, and the prompt is repeated below it: at the
 * next tick, and in the middle of a line only when nothing more has come until then.
 */

export interface PlainPrompt {
  /** Text to add after what was written. */
  readonly write: (text: string) => string
  /** Lines to add, which are not in the middle of one. */
  readonly insert: (lines: string) => string
  /** Shows a prompt until `close`. */
  readonly open: (prompt: string) => string
  /** Shows it again, below what was typed. */
  readonly again: () => string
  /** Shows it again if it is no longer the last thing. */
  readonly tick: () => string
  /** Ends its line, which the terminal itself has done if a line was typed. Does nothing once it is closed. */
  readonly close: (wasTyped: boolean) => string
}

export const make = (): PlainPrompt => {
  let prompt: string | null = null
  /** Whether nothing was written after the prompt. */
  let isLast = false
  /** Whether the next text begins a line. */
  let isAtStart = true
  /** Whether nothing was written since the last tick. */
  let isQuiet = true

  const startOfLine = (): string => {
    const text = isAtStart ? "" : "\n"
    isAtStart = true
    return text
  }

  const shown = (): string => {
    const text = `${startOfLine()}${prompt ?? ""}`
    isAtStart = false
    isLast = true
    return text
  }

  const write = (text: string): string => {
    if (text === "") return ""
    const before = isLast ? startOfLine() : ""
    isLast = false
    isQuiet = false
    isAtStart = text.endsWith("\n")
    return before + text
  }

  return {
    write,
    insert: (lines) => startOfLine() + write(lines),
    open: (text) => {
      prompt = text
      return shown()
    },
    again: () => {
      isAtStart = true
      return shown()
    },
    tick: () => {
      const wasQuiet = isQuiet
      isQuiet = true
      return prompt === null || isLast || !(isAtStart || wasQuiet) ? "" : shown()
    },
    close: (wasTyped) => {
      if (prompt === null) return ""
      prompt = null
      isLast = false
      if (wasTyped) isAtStart = true
      return startOfLine()
    }
  }
}
