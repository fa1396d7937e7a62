/**
 * The text on stdin, as a message or a part of one.
 *
 * What is read is decided by what stdin is, never by a time limit: a pipe of a shell and a file are read to their end.
 * A socket may be one that the starting program never closes (Node's `exec`, a server), so it is read only when it is
 * asked for. A device such as /dev/null is not a text.
 */
import { Effect, Fiber } from "effect"
import { fstatSync } from "node:fs"
import * as BoundedText from "./BoundedText.js"
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

/** Reads stdin to its end. When that takes long, a person is told what the command waits for. */
export const read = Effect.fn("StandardInput.read")(function* (mostBytes: number) {
  const screen = yield* Screen
  const notice = yield* Effect.fork(
    Effect.zipRight(Effect.sleep("3 seconds"), screen.writeError(`skein: ${Texts.readingStdin}\n`))
  )
  const text = yield* BoundedText.read(process.stdin, { field: "the message on stdin", mostBytes })
  yield* Fiber.interrupt(notice)
  return text
})
