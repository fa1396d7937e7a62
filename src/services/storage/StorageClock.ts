/**
 * The clock that dates a storage's commits. On one host that is the host's own clock. Hosts that share a storage have
 * different clocks, so a time that one host has stored is never compared with another host's clock: all of them go by
 * the storage's clock.
 */
import { Context } from "effect"

interface Shape {
  /** Milliseconds by which the storage's clock is ahead of this process's, as far as it is known. */
  readonly ahead: () => number
  /** Milliseconds by which a later commit may bear an earlier time. 0 where commits are made one by one. */
  readonly disorderMillis: number
}

export class StorageClock extends Context.Reference<StorageClock>()("skein/StorageClock", {
  defaultValue: (): Shape => ({ ahead: () => 0, disorderMillis: 0 })
}) {}
