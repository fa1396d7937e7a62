/**
 * Decides what a model is not shown when the context is full. Only sizes matter here; the caller chooses the unit.
 *
 * The decision is a fold over the conversation as it grew: whenever it outgrew the limit, it was cut back to the low
 * watermark, and what was cut stayed cut. So the beginning of what is shown changes once in a while, not with each
 * message, and a longer conversation repeats the decisions of a shorter one. Cutting back goes like this:
 * 1. shorten the results of earlier turns, oldest first;
 * 2. if that made little room, leave out earlier turns, oldest first;
 * 3. if it still does not fit, shorten the results of the last turn, oldest first.
 *
 * A message of the user that was too long to be answered must not keep the next one from being answered, nor cost what
 * was said before it. So the messages that begin the last turn are left out, oldest first, when they do not fit together
 * with a newer one, whatever came before them; one that is longer than the limit is left out once the next turn begins.
 * A note takes their place, and the conversation is cut as if they had never been there: what was cut for their sake
 * comes back, as it was. The rest of the last turn is never left out, so what remains may still be larger than the limit.
 *
 * What lies far back is not considered (`begin`): the conversation begins at a turn early enough that the turns from it
 * up to the last one, results shortened, exceed the limit. That turn stays the same for many turns to come, and it is
 * found from the end.
 */

/** A message together with the results that follow it. */
export interface Piece {
  readonly size: number
  /** Whether the message is one of a user's. */
  readonly isUsers: boolean
  /** By how much each of its results could be shortened, in order. */
  readonly savings: ReadonlyArray<number>
}

export interface Cut {
  /** How many of the oldest turns are left out. */
  readonly turns: number
  /** By turn, how many of the user's messages are left out with which it begins. */
  readonly messages: ReadonlyMap<number, number>
  /** How many of the oldest results are shortened, counted from the beginning of the conversation. */
  readonly results: number
  /** How many of the oldest pieces were written before the last cut: what came before them was longer then. Until
   * messages are left out the number is different for each cut. */
  readonly pieces: number
}

/** Nothing is left out or shortened. */
export const whole: Cut = { turns: 0, messages: new Map(), results: 0, pieces: 0 }

/** Each way of cutting back goes down to this fraction of the limit, if it can. */
const lowWatermark = 0.7

/** If shortening stays above this fraction of the limit, it made too little room: the next message would cut again. */
const littleRoom = 0.85

/** The conversation begins at most this many limits, results shortened, before its last turn. */
export const farthest = 1.5

/** A turn before the last one. */
export interface EarlierTurn {
  /** Its first place. */
  readonly first: number
  /** Its size with all results shortened, and without the messages that are left out of it. */
  readonly shortSize: number
}

/** How round the roundest number from `first` to `last` is: two to this power divides it. */
const roundness = (first: number, last: number): number => 31 - Math.clz32((first - 1) ^ last)

/**
 * Returns the index of the earlier turn with which the conversation begins; their number if it begins with none of
 * them. `end` is the first place of the last turn. Null when these turns are too few to decide: turns before the first
 * of them are needed, or there are none and the conversation begins with the first.
 *
 * Of the turns early enough for more than one limit to follow, the one at the roundest place is chosen: another turn is
 * chosen only once that one is too far back.
 */
export const begin = (earlier: ReadonlyArray<EarlierTurn>, end: number, limit: number): number | null => {
  let size = 0
  let found = { index: earlier.length, roundness: -1 }
  let next = end
  for (let index = earlier.length - 1; index >= 0; index--) {
    const turn = earlier[index]
    if (turn === undefined) break
    size += turn.shortSize
    if (size > limit * farthest) return found.index
    const round = size > limit ? roundness(turn.first, next - 1) : -1
    if (round >= found.roundness) found = { index, roundness: round }
    next = turn.first
  }
  return null
}

/** A conversation that grows. */
export interface Growing {
  readonly beginTurn: () => void
  /** Adds a piece to the turn that was begun last. */
  readonly add: (piece: Piece) => void
  /** How the conversation so far is cut. */
  readonly cut: () => Cut
}

/**
 * Starts a conversation without a turn, to be cut to fit `limit`. `note` is the size of the note in the place of messages
 * that are left out. Adding a piece costs the same at any length.
 */
export const grow = (limit: number, note: number): Growing => {
  const low = limit * lowWatermark
  const savings: Array<number> = []
  const shortSizes: Array<number> = []
  let cut = whole
  let size = 0
  let pieces = 0
  /** How the conversation was before the last turn, how many results it had, and what is shown of the turn. */
  let before = { cut, size, results: 0 }
  let shown: Array<Piece> = []

  const shorten = (end: number): void => {
    let { results } = cut
    for (; size > low && results < end; results++) size -= savings[results] ?? 0
    cut = { ...cut, results }
  }
  const leaveOut = (end: number): void => {
    let { turns } = cut
    for (; size > low && turns < end; turns++) size -= shortSizes[turns] ?? 0
    cut = { ...cut, turns }
  }
  const append = (piece: Omit<Piece, "isUsers">): void => {
    const last = shortSizes.length - 1
    const { results, turns } = cut
    savings.push(...piece.savings)
    shortSizes[last] = (shortSizes[last] ?? 0) + shortSize(piece)
    size += piece.size
    if (size <= limit) return
    shorten(before.results)
    if (size > limit * littleRoom) leaveOut(last)
    if (size > limit) shorten(savings.length)
    if (cut.turns > turns || cut.results > results) cut = { ...cut, pieces }
  }
  /** Goes on as if these messages, with which the last turn begins, had never been there. */
  const leaveOutMessages = (count: number): void => {
    const last = shortSizes.length - 1
    const left = count + (cut.messages.get(last) ?? 0)
    size = before.size
    cut = { ...before.cut, messages: new Map([...before.cut.messages, [last, left]]) }
    savings.length = before.results
    shortSizes[last] = 0
    shown = shown.slice(count)
    append({ size: note, savings: [] })
    shown.forEach(append)
  }

  return {
    beginTurn: () => {
      if (shown[0]?.isUsers === true && shown[0].size > limit) {
        leaveOutMessages(1)
        cut = { ...cut, pieces }
      }
      before = { cut, size, results: savings.length }
      shown = []
      shortSizes.push(0)
    },
    add: (piece) => {
      pieces++
      shown.push(piece)
      append(piece)
      let rest = shortSizes.at(-1) ?? 0
      if (!piece.isUsers || rest <= limit) return
      let count = 0
      for (; rest > low && count < shown.length - 1; count++) rest -= shown[count]?.size ?? 0
      if (count > 0) leaveOutMessages(count)
    },
    cut: () => cut
  }
}

/**
 * Returns how a conversation, passed as its turns, is cut to fit `limit`.
 *
 * @internal
 */
export const fit = (turns: ReadonlyArray<ReadonlyArray<Piece>>, limit: number, note: number): Cut => {
  const conversation = grow(limit, note)
  for (const turn of turns) {
    conversation.beginTurn()
    turn.forEach(conversation.add)
  }
  return conversation.cut()
}

/** The size of a piece with all its results shortened. */
const shortSize = ({ savings, size }: Omit<Piece, "isUsers">): number =>
  savings.reduce((rest, saving) => rest - saving, size)

/** The `EarlierTurn.shortSize` of a turn of these pieces. */
export const shortSizeOf = (turn: ReadonlyArray<Piece>, limit: number, note: number): number => {
  const left = fit([turn.filter(({ isUsers }) => isUsers), []], limit, note).messages.get(0) ?? 0
  return turn.slice(left).reduce((sum, piece) => sum + shortSize(piece), left > 0 ? note : 0)
}

/**
 * The least `EarlierTurn.shortSize` of a turn that ends with these pieces: the messages that it begins with may be left
 * out.
 */
export const leastSizeOf = (pieces: ReadonlyArray<Piece>): number =>
  pieces.reduce((sum, piece) => (piece.isUsers ? sum : sum + shortSize(piece)), 0)
