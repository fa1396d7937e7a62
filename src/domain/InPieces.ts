/** Work that may stop between two of its pieces, so that others have their turn: it yields after each of them. */
export type InPieces<A> = Generator<void, A, void>

/** Does it all without a stop. */
export const atOnce = <A>(work: InPieces<A>): A => {
  let next = work.next()
  while (next.done !== true) next = work.next()
  return next.value
}
