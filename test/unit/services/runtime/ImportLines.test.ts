import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as Limits from "../../../../src/domain/Limits.js"
import { Hashing } from "../../../../src/services/Hashing.js"
import * as ImportLines from "../../../../src/services/runtime/ImportLines.js"

it.effect("a long line lets others have their turn while it is read, a short one need not", () =>
  Effect.gen(function* () {
    let turns = 0
    const turn = Effect.sync(() => void turns++)
    const read = (pad: number) =>
      Effect.gen(function* () {
        const lines = yield* ImportLines.make(yield* Hashing, Limits.defaults, turn)
        const head = JSON.stringify({ type: "skein.export", version: 1, madeAt: 0, pad: "x".repeat(pad) })
        turns = 0
        yield* lines.take(new TextEncoder().encode(`${head}\n`), () => Effect.void)
        return turns
      })
    expect(yield* read(100_000)).toBe(0)
    expect(yield* read(4_000_000)).toBe(3)
  }).pipe(Effect.provide(NodeHashing.layer))
)
