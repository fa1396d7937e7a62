/**
 * What a child process writes to one of its outputs, from its start on.
 *
 * Guaranteed: nothing is lost between the process's start and the first read. Node discards output without a listener
 * when a process exits, so the listener is attached in the same turn of the event loop that starts the process. Unread
 * output is bounded by what the system buffers for a pipe; when that is full, the process waits.
 */
import { Effect, Option, Stream } from "effect"
import type { Readable } from "node:stream"

export interface ProcessOutput {
  /** The text from the first unread piece on, whole characters at a time, until the output ends. For one reader. */
  readonly text: Stream.Stream<string>
  /** The number of pieces that have arrived. */
  readonly arrived: () => number
  /** Stops listening. A process that still writes gets an error. */
  readonly close: () => void
}

const empty: ProcessOutput = { text: Stream.empty, arrived: () => 0, close: () => undefined }

/** Starts listening. An error ends the output as its end does. */
export const attach = (readable: Readable | null): ProcessOutput => {
  if (readable === null) return empty
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  const pieces: Array<Uint8Array> = []
  let arrived = 0
  let hasEnded = false
  let reader = (): void => undefined
  readable.on("data", (bytes: Uint8Array) => {
    arrived++
    pieces.push(bytes)
    readable.pause()
    reader()
  })
  for (const event of ["end", "error", "close"]) {
    readable.on(event, () => {
      hasEnded = true
      reader()
    })
  }

  const next: Effect.Effect<Uint8Array, Option.Option<never>> = Effect.async((resume) => {
    const leave = () => {
      if (reader === answer) reader = () => undefined
    }
    const answer = () => {
      const [bytes] = pieces
      if (bytes === undefined && !hasEnded) return void readable.resume()
      leave()
      pieces.shift()
      resume(bytes === undefined ? Effect.fail(Option.none()) : Effect.succeed(bytes))
    }
    reader = answer
    answer()
    return Effect.sync(leave)
  })
  const text = Stream.repeatEffectOption(next).pipe(
    Stream.map((bytes) => decoder.decode(bytes, { stream: true })),
    Stream.concat(Stream.sync(() => decoder.decode())),
    Stream.filter((decoded) => decoded !== "")
  )
  return { text, arrived: () => arrived, close: () => void readable.destroy() }
}
