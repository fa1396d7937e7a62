/**
 * The text on stdin, as a message or a part of one.
 *
 * What is read is decided by what stdin is, never by a time limit: a pipe of a shell and a file are read to their end. A
 * socket may be one that the starting program never closes (Node's `exec`, a server), so it is read only when it is asked
 * for. A device such as /dev/null is no text.
 */
import { Effect, Fiber } from "effect"
import { fstatSync } from "node:fs"
import type { Readable } from "node:stream"
import { InvalidInput } from "../../domain/SkeinError.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Run.js"

export type Kind = "terminal" | "text" | "socket" | "none"

/** What this process has as stdin. */
export const kind: Effect.Effect<Kind> = Effect.sync(() => {
  if (process.stdin.isTTY) return "terminal"
  try {
    const stat = fstatSync(0)
    return stat.isFIFO() || stat.isFile() ? "text" : stat.isSocket() ? "socket" : "none"
  } catch {
    return "none"
  }
})

const field = "the message on stdin"

const collect = (stdin: Readable, mostBytes: number): Effect.Effect<Uint8Array, InvalidInput> =>
  Effect.tryPromise({
    try: async () => {
      const chunks: Array<Uint8Array> = []
      let bytes = 0
      for await (const chunk of stdin) {
        if (!(chunk instanceof Uint8Array)) continue
        bytes += chunk.length
        if (bytes > mostBytes) throw new InvalidInput({ field, limit: `at most ${mostBytes} bytes`, actual: "more" })
        chunks.push(chunk)
      }
      return Buffer.concat(chunks)
    },
    catch: (thrown) =>
      thrown instanceof InvalidInput ? thrown : new InvalidInput({ field, limit: "readable", actual: "an error" })
  })

const decode = (bytes: Uint8Array): Effect.Effect<string, InvalidInput> =>
  Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => new InvalidInput({ field, limit: "a text in UTF-8", actual: "other bytes" })
  })

/** Reads stdin to its end. When that takes long, a person is told what the command waits for. */
export const read = Effect.fn("StandardInput.read")(function* (mostBytes: number) {
  const screen = yield* Screen
  const notice = yield* Effect.fork(
    Effect.zipRight(Effect.sleep("3 seconds"), screen.writeError(`skein: ${Texts.readingStdin}\n`))
  )
  const bytes = yield* collect(process.stdin, mostBytes)
  yield* Fiber.interrupt(notice)
  return yield* decode(bytes)
})
