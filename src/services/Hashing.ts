/** Digests of content that comes in pieces. */
import { Context } from "effect"
import type { Effect } from "effect"

/** One digest being made. It must not be used after `hex`. */
interface Digest {
  readonly update: (bytes: Uint8Array) => Effect.Effect<void>
  /** Lower-case hex. */
  readonly hex: Effect.Effect<string>
}

export interface Service {
  /** Begins a SHA-256. */
  readonly sha256: Effect.Effect<Digest>
}

export class Hashing extends Context.Tag("skein/Hashing")<Hashing, Service>() {}
