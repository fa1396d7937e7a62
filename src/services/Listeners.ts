/** Callbacks by key, called in the order in which they were added. They run synchronously and must not throw. */

export interface Listeners<K> {
  /** Adds a callback. Returns a function that removes it. */
  readonly add: (key: K, listener: () => void) => () => void
  readonly call: (key: K) => void
  readonly callAll: () => void
  readonly has: (key: K) => boolean
  /** Keys that have a listener. */
  readonly size: () => number
}

export const make = <K>(): Listeners<K> => {
  const all = new Map<K, Set<() => void>>()
  const call = (listener: () => void): void => listener()
  return {
    add: (key, listener) => {
      const own = (): void => listener()
      const listeners = all.get(key) ?? new Set()
      all.set(key, listeners.add(own))
      return () => {
        listeners.delete(own)
        if (listeners.size === 0 && all.get(key) === listeners) all.delete(key)
      }
    },
    call: (key) => all.get(key)?.forEach(call),
    callAll: () => all.forEach((listeners) => listeners.forEach(call)),
    has: (key) => all.has(key),
    size: () => all.size
  }
}
