/** The two orders of the demonstration, side by side. Pure. */
import type { Ansi } from "./terminal/Ansi.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Demo.js"

interface Call {
  readonly callId: string
  readonly summary: string
}

export interface Orders {
  /** In the order in which the calls finished. */
  readonly finished: ReadonlyArray<Call>
  /** In the order in which the transcript has their results. */
  readonly stored: ReadonlyArray<Call & { readonly seq: number }>
}

const mostColumns = 40
const leastColumns = 12

/** Two columns, as wide as the terminal has room for. */
export const render = (ansi: Ansi, columns: number, { finished, stored }: Orders): string => {
  const width = Math.max(leastColumns, Math.min(mostColumns, Math.floor((columns - 2) / 2)))
  const cell = (text: string) => TerminalText.pad(TerminalText.short(text, width - 2), width)
  const rows = stored.map(({ seq, summary }, at) => {
    const left = finished[at]
    return `  ${cell(left === undefined ? "" : `${at + 1}. ${left.summary}`)}${TerminalText.short(`#${seq} ${summary}`, width)}\n`
  })
  const isSame = stored.every(({ callId }, at) => finished[at]?.callId === callId)
  const comment = isSame ? Texts.sameOrder : Texts.otherOrder
  return [
    `\n  ${ansi.bold(cell(Texts.columns.finished))}${ansi.bold(Texts.columns.stored)}\n`,
    ...rows,
    `\n${comment}\n`
  ].join("")
}
