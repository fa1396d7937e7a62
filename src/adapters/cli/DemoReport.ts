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

const columns = 40

export const render = (ansi: Ansi, { finished, stored }: Orders): string => {
  const cell = (text: string) => TerminalText.pad(TerminalText.short(text, columns - 2), columns)
  const rows = stored.map(({ seq, summary }, at) => {
    const left = finished[at]
    return `  ${cell(left === undefined ? "" : `${at + 1}. ${left.summary}`)}#${seq} ${TerminalText.short(summary, columns)}\n`
  })
  const isSame = stored.every(({ callId }, at) => finished[at]?.callId === callId)
  const comment = isSame ? Texts.sameOrder : Texts.otherOrder
  return [
    `\n  ${ansi.bold(cell(Texts.columns.finished))}${ansi.bold(Texts.columns.stored)}\n`,
    ...rows,
    `\n${comment}\n`
  ].join("")
}
