/**
 * A changed file for people, in a few lines: how many lines were added and removed, and the first of them. Pure.
 * Everything between the first and the last line that differ counts as changed.
 */
import type { DiffPart } from "../../domain/Message.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Sessions.js"

interface Change {
  readonly removed: ReadonlyArray<string>
  readonly added: ReadonlyArray<string>
}

const linesOf = (text: string | null): ReadonlyArray<string> =>
  text === null || text === "" ? [] : text.replace(/\n$/u, "").split(/\r\n|\n/u)

/** How many lines two texts have in common at their beginning or, if reversed, at their end. */
const common = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): number => {
  const differs = one.findIndex((line, at) => line !== other[at])
  return differs < 0 ? one.length : differs
}

const changeOf = ({ after, before }: DiffPart): Change => {
  const [old, now] = [linesOf(before), linesOf(after)]
  const head = common(old, now)
  const [removed, added] = [old.slice(head), now.slice(head)]
  const tail = common(removed.toReversed(), added.toReversed())
  return { removed: removed.slice(0, removed.length - tail), added: added.slice(0, added.length - tail) }
}

const head = (ansi: Ansi, { path }: DiffPart, { added, removed }: Change): string =>
  `${TerminalText.line(path)} ${ansi.green(`+${added.length}`)} ${ansi.red(`-${removed.length}`)}`

/** The file and how much of it changed, on one line. */
export const summary = (ansi: Ansi, diff: DiffPart): string => head(ansi, diff, changeOf(diff))

/** The summary, then the first lines that changed, each with its sign. */
export const lines = (
  ansi: Ansi,
  diff: DiffPart,
  most: { readonly lines: number; readonly columns: number }
): ReadonlyArray<string> => {
  const change = changeOf(diff)
  const all = [
    ...change.removed.map((line) => ansi.red(`- ${TerminalText.short(line, most.columns)}`)),
    ...change.added.map((line) => ansi.green(`+ ${TerminalText.short(line, most.columns)}`))
  ]
  const more = all.length - most.lines
  return [head(ansi, diff, change), ...all.slice(0, most.lines), ...(more > 0 ? [ansi.dim(Texts.moreLines(more))] : [])]
}
