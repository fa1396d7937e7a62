/**
 * Reads a stream in batches. Parts that arrive within one turn of the event loop are returned together, because a read
 * costs far more than a part. Nothing waits longer than that turn. A batch ends before an error; the next read fails
 * with it.
 */

/** Returns the next parts, at least one, or null at the end. */
export type Next<A> = () => Promise<ReadonlyArray<A> | null>

/** Most parts of a batch, so that a stream that never pauses is still delivered. */
const most = 256

const laterThisTurn = (): Promise<null> => new Promise((resolve) => setImmediate(resolve, null))

export const of = <A>(reader: ReadableStreamDefaultReader<A>): Next<A> => {
  let pending: ReturnType<typeof reader.read> | null = null
  return async () => {
    const first = await (pending ?? reader.read())
    pending = null
    if (first.done) return null
    const batch = [first.value]
    const later = laterThisTurn()
    while (batch.length < most) {
      const next = reader.read()
      const result = await Promise.race([next, later]).catch(() => null)
      if (result === null || result.done) {
        // The next call awaits it; until then a rejection must not count as unhandled.
        next.catch(() => undefined)
        pending = next
        return batch
      }
      batch.push(result.value)
    }
    return batch
  }
}
