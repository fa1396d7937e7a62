/** A turn of Node's event loop: sockets, timers and signals that are due come first. */
import { Effect } from "effect"

export const turn = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
