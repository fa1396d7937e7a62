/** Reads server-sent events from their text, however it is cut. Pure. */
import { Chunk } from "effect"

/** One event. `event` and `data` are empty if they are missing. */
export interface Frame {
  readonly event: string
  readonly data: string
}

const frameOf = (text: string): Frame => {
  const values = (name: string) =>
    text.split("\n").flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []))
  return { event: values("event").join(""), data: values("data").join("\n") }
}

/** Returns the rest of a text after its complete events, and those events. Comments are not events. */
export const take = (rest: string, text: string): readonly [rest: string, frames: Chunk.Chunk<Frame>] => {
  const pieces = (rest + text.replaceAll("\r", "")).split("\n\n")
  const left = pieces.pop() ?? ""
  const frames = pieces.map(frameOf).filter(({ data, event }) => event !== "" && data !== "")
  return [left, Chunk.unsafeFromArray(frames)]
}
