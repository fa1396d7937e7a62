/**
 * A view that grows with its transcript. Adding entries costs as much as they are long, however long the whole view is.
 * It changes in place, so it must not be shared.
 */
import * as ContextWindow from "./ContextWindow.js"
import * as InPieces from "./InPieces.js"
import type { Entry } from "./Message.js"
import type { View, ViewItem } from "./ViewItem.js"
import * as ViewPiece from "./ViewPiece.js"

export interface GrowingView {
  /**
   * Adds the entries that follow. Returns false and adds nothing when the view must be made from scratch: the entries
   * begin a turn, or they begin with results of a message that is shown already.
   */
  readonly add: (entries: ReadonlyArray<Entry>) => boolean
  readonly view: () => View
}

/** The turns that a view begins with. */
export interface Start {
  /** At least one, unless the transcript is empty. */
  readonly turns: ReadonlyArray<ViewPiece.Turn>
  /** The first place of the transcript. */
  readonly beginning: number
}

/** Pieces that are put together before other work gets its turn. */
const atATime = 250

export const make = (start: Start, options: ViewPiece.Options): GrowingView => InPieces.atOnce(making(start, options))

/** Does the same as `make`, in pieces, for a beginning of many turns or of a long one. */
export function* making({ beginning, turns }: Start, options: ViewPiece.Options): InPieces.InPieces<GrowingView> {
  const limit = ViewPiece.limitOf(options)
  const conversation = limit === null ? null : ContextWindow.grow(limit, ViewPiece.noteSize)
  const named = ViewPiece.uniqueIds()
  const pieces: Array<View> = []
  /** How many pieces come before each turn. */
  const starts: Array<number> = []
  const add = (piece: ViewPiece.Piece): void => {
    pieces.push(named(piece))
    conversation?.add(piece)
  }
  for (const turn of turns) {
    starts.push(pieces.length)
    conversation?.beginTurn()
    for (const piece of turn.pieces) {
      add(piece)
      if (pieces.length % atATime === 0) yield
    }
  }
  const first = turns[0]?.first ?? beginning
  /** Reasoning of earlier turns may have been written after messages that are no longer considered. */
  const withoutReasoning = first > beginning ? (starts.at(-1) ?? 0) : 0

  let shown = { cut: ContextWindow.whole, pieces: 0, results: 0, items: Array<ViewItem>() }
  const cutPiece = (items: View, at: number, cut: ContextWindow.Cut): View =>
    at < Math.max(cut.pieces, withoutReasoning) ? items.map(ViewPiece.withoutReasoning) : items

  /** Shows the pieces that are not shown yet, or all of them once the cut has changed. */
  function* show(): InPieces.InPieces<typeof shown> {
    const cut = conversation?.cut() ?? ContextWindow.whole
    const isSame = cut.pieces === shown.cut.pieces
    let { results } = isSame ? shown : { results: 0 }
    const items = isSame ? shown.items : []
    const shownFrom = starts[cut.turns] ?? 0
    const leftOut = new Map([...cut.messages].map(([turn, count]) => [starts[turn], count]))
    let leftUntil = 0
    for (let at = isSame ? shown.pieces : 0; at < pieces.length; at++) {
      if (at % atATime === atATime - 1) yield
      const left = leftOut.get(at) ?? 0
      if (left > 0) leftUntil = at + left
      if (left > 0 && at >= shownFrom) items.push(ViewPiece.userNote(ViewPiece.leftOutHere(left)))
      if (at < leftUntil) continue
      for (const item of cutPiece(pieces[at] ?? [], at, cut)) {
        const whole = item.role === "tool" ? Math.max(cut.results - results, 0) : 0
        if (item.role === "tool") results += item.results.length
        if (at < shownFrom) continue
        items.push(item.role === "tool" && whole > 0 ? shortenedTo(item, whole) : item)
      }
    }
    shown = { cut, pieces: pieces.length, results, items }
    return shown
  }

  yield* show()
  return {
    add: (entries) => {
      const next = entries.find(({ message }) => message.role !== "other")?.message.role
      if (next === "tool" || entries.some(({ message }) => message.role === "user")) return false
      ViewPiece.piecesOf(entries, options).forEach(add)
      return true
    },
    view: () => {
      const { cut, items } = InPieces.atOnce(show())
      const left = (turns[cut.turns]?.first ?? first) - beginning
      return [
        ...(left > 0 ? [ViewPiece.userNote(`[Earlier messages left out to fit the context: ${left}.]`)] : []),
        ...(left === 0 && items[0]?.role !== "user" ? [ViewPiece.userNote(ViewPiece.opening)] : []),
        ...ViewPiece.withReplies(items)
      ]
    }
  }
}

/** The item with its first `count` results shortened. */
const shortenedTo = (item: Extract<ViewItem, { readonly role: "tool" }>, count: number): ViewItem => ({
  role: item.role,
  results: item.results.map((result, index) => (index < count ? ViewPiece.shortened(result) : result))
})
