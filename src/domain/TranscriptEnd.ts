/**
 * The end of a transcript, read backwards until it holds all that a view shows and all that decides what it shows. Pure.
 */
import { Array } from "effect"
import * as ContextWindow from "./ContextWindow.js"
import * as GrowingView from "./GrowingView.js"
import type { Entry } from "./Message.js"
import * as Transcript from "./Transcript.js"
import * as ViewPiece from "./ViewPiece.js"

export interface TranscriptEnd {
  /** Turns from their first entry on, the transcript's last one included, in order. */
  readonly turns: ReadonlyArray<ViewPiece.Turn>
  /** What stands before them, as far as it was read. */
  readonly rest: ReadonlyArray<Entry>
  /** Whether nothing stands before that. */
  readonly isWhole: boolean
  /** How many entries the turns have. */
  readonly entries: number
}

/** Nothing read yet. */
export const nothing: TranscriptEnd = { turns: [], rest: [], isWhole: false, entries: 0 }

/** Adds the page that stands right before. `isFirst` tells that it begins the transcript. */
export const prepend = (
  end: TranscriptEnd,
  page: ReadonlyArray<Entry>,
  isFirst: boolean,
  options: ViewPiece.Options
): TranscriptEnd => {
  const found = Transcript.turns([...page, ...end.rest])
  // Whether the first entry begins a turn is told by the one before it.
  const known = isFirst ? 0 : 1
  const rest = isFirst ? [] : (found[0] ?? [])
  const turns = found
    .slice(known)
    .map((turn, index, all) => ViewPiece.turn(turn, index === all.length - 1 && end.turns.length === 0, options))
  const entries = end.entries + page.length + end.rest.length - rest.length
  return { turns: [...turns, ...end.turns], rest, isWhole: isFirst, entries }
}

/** About how many entries are missing until `startOf` tells, if they are as long as the others; Infinity for all. */
export const missing = ({ entries, turns }: TranscriptEnd, options: ViewPiece.Options): number => {
  const limit = GrowingView.limitOf(options)
  const size = turns.reduce((sum, { shortSize }) => sum + shortSize, 0)
  return limit === null ? Infinity : Math.ceil(((limit * ContextWindow.farthest - size) * entries) / size)
}

/** The turns that the view begins with; null while too little was read to tell. */
export const startOf = (end: TranscriptEnd, options: ViewPiece.Options): ReadonlyArray<ViewPiece.Turn> | null => {
  const { isWhole, rest, turns } = end
  const last = turns.at(-1)
  const limit = GrowingView.limitOf(options)
  if (last === undefined || limit === null) return isWhole ? turns : null
  // Results whose message was not read yet have no size yet.
  const known = Array.dropWhile(rest, ({ message }) => message.role === "tool")
  const before = rest.length === 0 ? [] : [ViewPiece.turn(known, false, options)]
  const begin = ContextWindow.begin([...before, ...turns.slice(0, -1)], last.first, limit)
  return begin === null ? (isWhole ? turns : null) : turns.slice(begin - before.length)
}
