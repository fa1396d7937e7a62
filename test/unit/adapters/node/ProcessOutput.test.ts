import { expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { PassThrough } from "node:stream"
import * as ProcessOutput from "../../../../src/adapters/node/ProcessOutput.js"

/** Gives the event loop one turn. */
const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

it.effect("output that nobody reads stays in its pipe, and none of it is lost", () =>
  Effect.gen(function* () {
    const pipe = new PassThrough({ highWaterMark: 1_000 })
    const output = ProcessOutput.attach(pipe)
    const pieces = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(500))
    const written = Effect.async<void>((resume) => {
      for (const piece of pieces) pipe.write(piece)
      pipe.end(() => resume(Effect.void))
    })
    const writing = yield* Effect.fork(written)
    yield* Effect.repeatN(turn, 20)
    expect(output.arrived()).toBe(1)
    expect(yield* Stream.mkString(output.text)).toBe(pieces.join(""))
    yield* writing
  })
)
