/** Work that can pause between its pieces so that other work gets its turn: it yields after each piece. */
export type InPieces<A> = Generator<void, A, void>

/** Does all of the work without a pause. */
export const atOnce = <A>(work: InPieces<A>): A => {
  let next = work.next()
  while (next.done !== true) next = work.next()
  return next.value
}
