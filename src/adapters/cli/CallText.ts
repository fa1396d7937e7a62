/** Calls on one line, for people. */
import { Either, Predicate } from "effect"
import * as BoundedJson from "../../domain/BoundedJson.js"
import type { Outcome } from "../../domain/Message.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as TerminalText from "./terminal/TerminalText.js"

const decode = (input: string) =>
  Either.filterOrLeft(BoundedJson.parse(input), Predicate.isReadonlyRecord, () => "not an object")

const characters = 72

const valueText = (value: unknown): string => {
  if (!Predicate.isString(value)) return JSON.stringify(value)
  return /^[^\s"]+$/u.test(value) ? value : JSON.stringify(value)
}

/** A call's tool and the values of its input, cut to fit on a line. `input` is the text that the model wrote. */
export const summary = (name: string, input: string): string => {
  const values = Either.match(decode(input), {
    onLeft: () => [input],
    onRight: (fields) => Object.values(fields).map((value) => TerminalText.short(valueText(value), 40))
  })
  return TerminalText.short([name, ...values].join(" "), characters)
}

/** A duration in milliseconds, as people read it. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${millis} ms`
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`
  return `${Math.floor(millis / 60_000)} min ${Math.round((millis % 60_000) / 1000)} s`
}

/** A call that has ended; if it did not succeed, with its outcome and reason. */
export const ended = (
  { ansi, columns }: { readonly ansi: Ansi; readonly columns: number },
  call: { readonly summary: string; readonly outcome: Outcome; readonly millis: number | null; readonly text: string }
): string => {
  const took = call.millis === null ? "" : ansi.dim(duration(call.millis).padStart(8))
  const room = Math.min(characters, Math.max(1, columns - 12))
  const head = `  ${call.outcome === "success" ? ansi.green("✓") : ansi.red("✗")} ${TerminalText.pad(TerminalText.short(call.summary, room), room)}${took}`
  if (call.outcome === "success") return `${head.trimEnd()}\n`
  const [first = "", second = ""] = call.text.split("\n").filter((line) => line.trim() !== "")
  const reason = first.endsWith(":") ? `${first} ${second}` : first
  return `${head.trimEnd()}\n    ${ansi.red(call.outcome)}${reason === "" ? "" : ` ${TerminalText.short(reason, 200)}`}\n`
}
