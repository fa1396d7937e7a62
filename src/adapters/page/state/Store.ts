/** A value that components watch: each watches a part of it, and is drawn again only when that part has changed. */
import { useEffect, useState } from "preact/hooks"

export class Store<T> {
  private readonly listeners = new Set<() => void>()

  constructor(public value: T) {}

  set(value: T): void {
    if (Object.is(value, this.value)) return
    this.value = value
    Array.from(this.listeners).forEach((listener) => listener())
  }

  update(change: (value: T) => T): void {
    this.set(change(this.value))
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }
}

/** A part of a store's value. `select` must return the identical value for an unchanged part. */
export const useStore = <T, S>(store: Store<T>, select: (value: T) => S): S => {
  const now = select(store.value)
  const [, redraw] = useState(0)
  useEffect(() => {
    let last = now
    const look = () => {
      const next = select(store.value)
      if (Object.is(next, last)) return
      last = next
      redraw((n) => n + 1)
    }
    look()
    return store.subscribe(look)
  })
  return now
}
