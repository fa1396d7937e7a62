/**
 * A turn of Node's event loop: sockets, timers and signals that are due come first. One immediate is not enough: if
 * requested while sockets are served, it runs before the timers.
 */
import { Effect } from "effect"

export const turn = Effect.async<void>((resume) => {
  let immediate = setImmediate(() => {
    immediate = setImmediate(() => resume(Effect.void))
  })
  return Effect.sync(() => clearImmediate(immediate))
})
