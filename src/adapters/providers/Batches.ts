/**
 * Reads a stream in batches: what comes within one turn of the event loop comes together, as each read costs far more
 * than a part. Nothing waits longer than that turn, and a batch ends before an error, which is told by the next read.
 */

/** The next parts, at least one; null at the end. */
export type Next<A> = () => Promise<ReadonlyArray<A> | null>

/** Parts of one batch, so that a stream that never pauses is told of all the same. */
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
        // Read by the next call; its failure must not be taken for one that nobody looks at.
        next.catch(() => undefined)
        pending = next
        return batch
      }
      batch.push(result.value)
    }
    return batch
  }
}
