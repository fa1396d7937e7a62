/**
 * The end of a transcript, read backwards until it holds all that a view shows and all that decides what it shows.
 * Pure. The cost of a page depends on its own length, however much was read before it.
 */
import { Array } from "effect"
import * as ContextWindow from "./ContextWindow.js"
import type { AssistantMessage, Entry } from "./Message.js"
import * as Transcript from "./Transcript.js"
import * as ViewPiece from "./ViewPiece.js"

export interface TranscriptEnd {
  /** Turns from their first entry on, the transcript's last one included, in order. */
  readonly turns: ReadonlyArray<ViewPiece.Turn>
  /** The end of the turn before them, as far as it was read; null when none of it was. */
  readonly rest: Rest | null
  /** Whether nothing comes before that. */
  readonly isWhole: boolean
  /** How many entries the turns have. */
  readonly entries: number
}

/** The end of a turn whose first entry is not known yet: the entry before an entry decides whether it begins a turn. */
interface Rest {
  readonly first: Entry
  /** The results at its beginning whose message was not read yet. */
  readonly loose: ReadonlyArray<Entry>
  /** The pieces of what follows, by page; the page that was read last comes first. */
  readonly pages: ReadonlyArray<ReadonlyArray<ViewPiece.Piece>>
  /** At least this is the turn's `shortSize`. */
  readonly shortSize: number
  /** The turn's last assistant message. */
  readonly answer: AssistantMessage | null
  readonly entries: number
}

/** Nothing read yet. */
export const nothing: TranscriptEnd = { turns: [], rest: null, isWhole: false, entries: 0 }

const isLoose = ({ message }: Entry): boolean => message.role === "tool" || message.role === "other"

/** Adds the entries of the same turn that come right before. */
const extend = (rest: Rest | null, entries: ReadonlyArray<Entry>, options: ViewPiece.Options): Rest | null => {
  const first = entries[0] ?? rest?.first
  if (first === undefined) return null
  const [loose, known] = Array.span([...entries, ...(rest?.loose ?? [])], isLoose)
  const page = ViewPiece.piecesOf(known, options)
  const last = entries.findLast(({ message }) => message.role === "assistant")?.message
  return {
    first,
    loose,
    pages: [page, ...(rest?.pages ?? [])],
    shortSize: ContextWindow.leastSizeOf(page) + (rest?.shortSize ?? 0),
    answer: rest?.answer ?? (last?.role === "assistant" ? last : null),
    entries: entries.length + (rest?.entries ?? 0)
  }
}

/** Adds the page that comes right before. `isFirst` says that it begins the transcript. */
export const prepend = (
  end: TranscriptEnd,
  page: ReadonlyArray<Entry>,
  isFirst: boolean,
  options: ViewPiece.Options
): TranscriptEnd => {
  let rest = end.rest
  let { entries } = end
  const found = Transcript.turns(rest === null ? page : [...page, rest.first]).map((turn) =>
    turn.filter((entry) => entry !== end.rest?.first)
  )
  const turns: Array<ViewPiece.Turn> = []
  for (let index = found.length - 1; index >= 0; index--) {
    rest = extend(rest, found[index] ?? [], options)
    if (rest === null || (index === 0 && !isFirst)) break
    const { answer, first, loose, pages } = rest
    const pieces = [ViewPiece.piecesOf(loose, options), ...pages].flat()
    turns.push(ViewPiece.turn(first, pieces, end.turns.length + turns.length === 0 ? null : answer, options))
    entries += rest.entries
    rest = null
  }
  return { turns: [...turns.reverse(), ...end.turns], rest, isWhole: isFirst, entries }
}

/** What is known about the turn so far, without results whose message was not read yet. */
const earlierOf = ({ answer, first, shortSize }: Rest, options: ViewPiece.Options): ContextWindow.EarlierTurn =>
  ViewPiece.isLeftOut(answer, options) ? ViewPiece.turn(first, [], answer, options) : { first: first.seq, shortSize }

/** Estimates how many more entries `startOf` needs, if they are as long as the others; Infinity for all. */
export const missing = ({ entries, rest, turns }: TranscriptEnd, options: ViewPiece.Options): number => {
  const limit = ViewPiece.limitOf(options)
  const size = turns.reduce((sum, { shortSize }) => sum + shortSize, rest?.shortSize ?? 0)
  return limit === null
    ? Infinity
    : Math.ceil(((limit * ContextWindow.farthest - size) * (entries + (rest?.entries ?? 0))) / size)
}

/** Returns the turns that the view begins with; null while too little was read to decide. */
export const startOf = (end: TranscriptEnd, options: ViewPiece.Options): ReadonlyArray<ViewPiece.Turn> | null => {
  const { isWhole, rest, turns } = end
  const last = turns.at(-1)
  const limit = ViewPiece.limitOf(options)
  if (last === undefined || limit === null) return isWhole ? turns : null
  const before = rest === null ? [] : [earlierOf(rest, options)]
  const begin = ContextWindow.begin([...before, ...turns.slice(0, -1)], last.first, limit)
  return begin === null ? (isWhole ? turns : null) : turns.slice(begin - before.length)
}
