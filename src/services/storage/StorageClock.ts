/**
 * The time that a storage's commits bear. On one host that is the host's own clock. Where hosts share a storage, their
 * clocks differ, and what one has stored is never compared with what another's clock shows: all go by the storage's.
 */
import { Context } from "effect"

interface Shape {
  /** Milliseconds by which the storage's clock is ahead of this process's, as far as it is known. */
  readonly ahead: () => number
  /** Milliseconds by which what is committed later may bear an earlier time. 0 where commits are made one by one. */
  readonly disorderMillis: number
}

export class StorageClock extends Context.Reference<StorageClock>()("skein/StorageClock", {
  defaultValue: (): Shape => ({ ahead: () => 0, disorderMillis: 0 })
}) {}
