/** Sessions as a table. Pure. */
import { DateTime } from "effect"
import * as Amounts from "../../domain/Amounts.js"
import type { ListedSession } from "../../domain/SessionPage.js"
import { isDatable } from "../../domain/Timestamp.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as Columns from "./terminal/Columns.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as AgentTexts from "./texts/Agents.js"
import * as Texts from "./texts/Sessions.js"

/** A moment in the user's time zone, to the minute; in milliseconds when no date states it. */
export const moment = (millis: number): string => {
  if (!isDatable(millis)) return `${millis} ms`
  const zoned = DateTime.unsafeMakeZoned(millis, { timeZone: DateTime.zoneMakeLocal() })
  const { day, hours, minutes, month, year } = DateTime.toParts(zoned)
  const two = (value: number) => `${value}`.padStart(2, "0")
  return `${year}-${two(month)}-${two(day)} ${two(hours)}:${two(minutes)}`
}

type Row = { readonly [Name in keyof typeof Texts.headings]: string }

const rowOf = ({ activity, agent, head, id, title, updatedAt, usage, workdir }: ListedSession): Row => ({
  id,
  title: TerminalText.short(title, 40),
  state: activity,
  messages: `${head}`,
  cost: Amounts.cost(usage.costMicroUsd),
  at: moment(updatedAt),
  agent: TerminalText.line(agent ?? ""),
  folder: TerminalText.line(workdir ?? "")
})

/** Columns that are shown only when some session has a value: an agent that it names, and a cost. */
interface Shown {
  readonly agents: boolean
  readonly costs: boolean
}

const cellsOf = ({ agent, at, cost, folder, id, messages, state, title }: Row, shown: Shown) => [
  id,
  title,
  state,
  messages,
  ...(shown.costs ? [cost] : []),
  at,
  ...(shown.agents ? [agent] : []),
  folder
]

/** The fewest columns in which a folder is worth showing. */
const leastFolder = 12

/** A session on lines of its own, for a terminal that is too narrow for a table. */
const stacked = (ansi: Ansi, columns: number, session: ListedSession): string => {
  const { agent, at, cost, folder, id, state, title } = rowOf(session)
  const ofAgent = agent === "" ? [] : [AgentTexts.of(agent)]
  const facts = [state, Texts.messageCount(session.head), ...(cost === "" ? [] : [cost]), at].join(", ")
  return [ansi.bold(id), title, facts, ...ofAgent, folder]
    .map((line, place) => (place === 0 ? `${line}\n` : `  ${TerminalText.short(line, columns - 2)}\n`))
    .join("")
}

/**
 * `total` counts all sessions that match, shown or not. `columns` is the width to fit into, null for none: folders are
 * cut, and when that is not enough, each session has lines of its own.
 */
export const render = (
  ansi: Ansi,
  sessions: ReadonlyArray<ListedSession>,
  total: number,
  columns: number | null = null
): string => {
  if (sessions.length === 0) return `${Texts.none}\n`
  const more = total - sessions.length
  const notListed = more > 0 ? ansi.dim(`${Texts.notListed(more)}\n`) : ""
  const all = sessions.map(rowOf)
  const shown = { agents: all.some(({ agent }) => agent !== ""), costs: all.some(({ cost }) => cost !== "") }
  const headings = cellsOf(Texts.headings, shown)
  const rows = all.map((row) => cellsOf(row, shown))
  const widths = headings.map((heading, column) =>
    Math.max(...[heading, ...rows.map((row) => row[column] ?? "")].map(Columns.width))
  )
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  const room = columns === null ? Infinity : columns - before
  if (columns !== null && room < Math.min(leastFolder, widths.at(-1) ?? 0)) {
    return sessions.map((session) => stacked(ansi, columns, session)).join("") + notListed
  }
  const lineOf = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) =>
        column === cells.length - 1 && Columns.width(cell) > room
          ? TerminalText.short(cell, room)
          : TerminalText.pad(cell, widths[column] ?? 0)
      )
      .join("  ")
      .trimEnd()
  return [`${ansi.bold(lineOf(headings))}\n`, ...rows.map((row) => `${lineOf(row)}\n`), notListed].join("")
}
