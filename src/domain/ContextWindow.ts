/**
 * What a model is not shown when the context is full. Only sizes count here; the unit is the caller's.
 *
 * The decision is a fold over the conversation as it grew: whenever it had outgrown the limit, it was cut back to the
 * low watermark, and what was cut stayed cut. So the beginning of what is shown changes once in a while, not with each
 * message, and a longer conversation repeats the decisions of a shorter one. Cutting back goes like this:
 * 1. shorten the results of earlier turns, oldest first;
 * 2. if that made little room, leave out earlier turns, oldest first;
 * 3. if it still does not fit, shorten the results of the last turn, oldest first.
 * The last turn is never left out, so what remains may still be larger than the limit.
 */

/** A message together with the results that follow it. */
export interface Piece {
  readonly size: number
  /** By how much each of its results could be shortened, in order. */
  readonly savings: ReadonlyArray<number>
}

export interface Cut {
  /** How many of the oldest turns are left out. */
  readonly turns: number
  /** How many of the oldest results are shortened, counted from the beginning of the conversation. */
  readonly results: number
  /** How many of the oldest pieces were written before the last cut: what came before them was longer then. */
  readonly pieces: number
}

interface State extends Cut {
  readonly size: number
}

/** Nothing is left out or shortened. */
export const whole: Cut = { turns: 0, results: 0, pieces: 0 }

/** Each way of cutting back goes down to this part of the limit, if it can. */
const lowWatermark = 0.7

/** Shortening that stays above this part of the limit made too little room: the next message would cut again. */
const littleRoom = 0.85

/** How a conversation, given by its turns, is cut to fit `limit`. */
export const fit = (turns: ReadonlyArray<ReadonlyArray<Piece>>, limit: number): Cut => {
  const low = limit * lowWatermark
  const savings = turns.flatMap((turn) => turn.flatMap((piece) => piece.savings))
  const shortSizes = turns.map((turn) => sum(turn.map((piece) => piece.size - sum(piece.savings))))

  const shorten = (state: State, end: number): State => {
    let { results, size } = state
    for (; size > low && results < end; results++) size -= savings[results] ?? 0
    return { ...state, results, size }
  }
  const leaveOut = (state: State, end: number): State => {
    let { size, turns } = state
    for (; size > low && turns < end; turns++) size -= shortSizes[turns] ?? 0
    return { ...state, turns, size }
  }

  let state: State = { ...whole, size: 0 }
  let seen = 0
  let pieces = 0
  turns.forEach((turn, index) => {
    const earlier = seen
    for (const piece of turn) {
      pieces++
      seen += piece.savings.length
      state = { ...state, size: state.size + piece.size }
      if (state.size <= limit) continue
      const before = state
      state = shorten(state, earlier)
      if (state.size > limit * littleRoom) state = leaveOut(state, index)
      if (state.size > limit) state = shorten(state, seen)
      if (state.turns > before.turns || state.results > before.results) state = { ...state, pieces }
    }
  })
  return { turns: state.turns, results: state.results, pieces: state.pieces }
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)
