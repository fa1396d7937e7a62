/** `Hashing` by Node. */
import { Effect, Layer } from "effect"
import { createHash } from "node:crypto"
import { Hashing } from "../../services/Hashing.js"

export const layer: Layer.Layer<Hashing> = Layer.succeed(Hashing, {
  sha256: Effect.sync(() => {
    const hash = createHash("sha256")
    return {
      update: (bytes: Uint8Array) => Effect.sync(() => void hash.update(bytes)),
      hex: Effect.sync(() => hash.digest("hex"))
    }
  })
})
