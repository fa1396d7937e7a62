/** Sessions as a table. Pure. */
import { DateTime } from "effect"
import type { Session } from "../../domain/Session.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as Columns from "./terminal/Columns.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Sessions.js"

/** A moment in the user's time zone, to the minute. */
export const moment = (millis: number): string => {
  const zoned = DateTime.unsafeMakeZoned(millis, { timeZone: DateTime.zoneMakeLocal() })
  const { day, hours, minutes, month, year } = DateTime.toParts(zoned)
  const two = (value: number) => `${value}`.padStart(2, "0")
  return `${year}-${two(month)}-${two(day)} ${two(hours)}:${two(minutes)}`
}

const rowOf = ({ head, id, title, updatedAt, workdir }: Session): ReadonlyArray<string> => [
  id,
  TerminalText.short(title, 40),
  `${head}`,
  moment(updatedAt),
  TerminalText.line(workdir)
]

/** `total` counts all sessions that match, shown or not. */
export const render = (ansi: Ansi, sessions: ReadonlyArray<Session>, total: number): string => {
  if (sessions.length === 0) return `${Texts.none}\n`
  const rows = sessions.map(rowOf)
  const widths = Texts.headings.map((heading, column) =>
    Math.max(...[heading, ...rows.map((row) => row[column] ?? "")].map(Columns.width))
  )
  const lineOf = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => TerminalText.pad(cell, widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  const more = total - sessions.length
  return [
    `${ansi.bold(lineOf(Texts.headings))}\n`,
    ...rows.map((row) => `${lineOf(row)}\n`),
    ...(more > 0 ? [ansi.dim(`${Texts.notListed(more)}\n`)] : [])
  ].join("")
}
