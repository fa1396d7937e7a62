/** What one side of the page shows the other: the call under the pointer, the place to go to. */
import { Store } from "./Store.js"

/** The call that is pointed at, on either side. */
export const hovered = new Store<string | null>(null)

/** The place whose row is shown for as long as its lane is pointed at. */
export const peeked = new Store<number | null>(null)

/** The place that is gone to; each going is one, to the same place too. */
export const target = new Store<{ readonly seq: number } | null>(null)

/** The place that was last gone to: what is next is next from here. */
export const current = new Store(0)

/** To the end, and along with it. */
export const goToEnd = (): void => target.set({ seq: Infinity })

export const goTo = (seq: number): void => {
  current.set(seq)
  target.set({ seq })
}
