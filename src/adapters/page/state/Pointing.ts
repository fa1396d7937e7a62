/** What one side of the page tells the other: the call under the pointer, the place to go to. */
import { Store } from "./Store.js"

/** The call that is pointed at, on either side. */
export const hovered = new Store<string | null>(null)

/** The place whose row is shown while its lane is pointed at. */
export const peeked = new Store<number | null>(null)

/** Points at nothing. */
export const leave = (): void => {
  hovered.set(null)
  peeked.set(null)
}

/** The place to go to. Each request is a new value, even for the same place. */
export const target = new Store<{ readonly seq: number } | null>(null)

/** The place that was last gone to: the next row is looked up from here. */
export const current = new Store(0)

/** Goes to the end, and stays there as it moves. */
export const goToEnd = (): void => target.set({ seq: Infinity })

export const goTo = (seq: number): void => {
  current.set(seq)
  target.set({ seq })
}
