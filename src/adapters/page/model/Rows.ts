/**
 * The transcript as rows: one per place, then what is being written or how the run ended. Filters rows, and finds where
 * to jump. Pure.
 */
import { isThinking, type SessionView } from "./SessionView.js"
import { type Call, isTrouble, stateOf } from "./Strands.js"
import { type Entry, textOf } from "./Wire.js"

export type Row =
  | { readonly kind: "message"; readonly key: string; readonly seq: number; readonly entry: Entry | undefined }
  | {
      readonly kind: "call"
      readonly key: string
      readonly seq: number
      readonly entry: Entry | undefined
      readonly call: Call
      /** What the model asked for; undefined while its message is not loaded. */
      readonly input: string | undefined
    }
  | { readonly kind: "live"; readonly key: string; readonly seq: number }
  | { readonly kind: "ended"; readonly key: string; readonly seq: number }

export const kinds = ["all", "messages", "calls", "errors"] as const
export type Kind = (typeof kinds)[number]

const inputOf = (view: SessionView, call: Call): string | undefined => {
  const opener = view.entries[call.step - 1]
  if (opener?.message.role !== "assistant") return undefined
  for (const part of opener.message.parts) {
    if (part.type === "call" && part["callId"] === call.callId && typeof part["input"] === "string")
      return part["input"]
  }
  return undefined
}

/** A message with nothing to read except the calls that follow it. */
const isSilent = (entry: Entry | undefined): boolean =>
  entry?.message.role === "assistant" &&
  entry.message.partial !== true &&
  entry.message.parts.every((part) => part.type === "call")

/** All rows. */
export const of = (view: SessionView): ReadonlyArray<Row> => {
  const calls = new Map(view.steps.flatMap((step) => step.calls.map((call) => [call.seq, call] as const)))
  const rows: Array<Row> = []
  const last = Math.max(view.session.head, ...(view.steps.at(-1)?.calls.map(({ seq }) => seq) ?? []))
  for (let seq = 1; seq <= last; seq++) {
    const entry = view.entries[seq - 1]
    const call = calls.get(seq)
    if (call !== undefined) {
      rows.push({ kind: "call", key: `p${seq}`, seq, entry, call, input: inputOf(view, call) })
    } else if (seq <= view.session.head && !isSilent(entry)) {
      rows.push({ kind: "message", key: `p${seq}`, seq, entry })
    }
  }
  if (view.live !== null || isThinking(view)) rows.push({ kind: "live", key: "live", seq: view.live?.seq ?? last + 1 })
  else if (view.ended !== null && view.ended.stopReason !== "completed") {
    rows.push({ kind: "ended", key: "ended", seq: last + 1 })
  }
  return rows
}

const isOfKind = (row: Row, kind: Kind): boolean => {
  switch (kind) {
    case "all":
      return true
    case "messages":
      return row.kind === "message" || row.kind === "live"
    case "calls":
      return row.kind === "call"
    case "errors":
      return isError(row)
  }
}

const searched = (row: Row): string => {
  if (row.kind === "call") {
    const { display, name } = row.call
    return `${name}\n${display.title ?? ""}\n${row.input ?? ""}\n${row.entry === undefined ? "" : textOf(row.entry.message)}`
  }
  return row.kind === "message" && row.entry !== undefined ? textOf(row.entry.message) : ""
}

/** The rows of a kind that contain a text, in upper or lower case. */
export const filter = (rows: ReadonlyArray<Row>, kind: Kind, text: string): ReadonlyArray<Row> => {
  if (kind === "all" && text === "") return rows
  const wanted = text.toLowerCase()
  return rows.filter((row) => isOfKind(row, kind) && (wanted === "" || searched(row).toLowerCase().includes(wanted)))
}

export const isError = (row: Row): boolean =>
  row.kind === "ended" ||
  (row.kind === "call" && isTrouble(row.call)) ||
  (row.kind === "message" && row.entry?.message.role === "assistant" && row.entry.message.partial === true)
export const isQuestion = (row: Row): boolean => row.kind === "call" && stateOf(row.call) === "asked"
export const isTurn = (row: Row): boolean => row.kind === "message" && row.entry?.message.role === "user"

/** The next row from a place for which `holds` is true, forwards or backwards; continues from the other end. */
export const next = (
  rows: ReadonlyArray<Row>,
  from: number,
  holds: (row: Row) => boolean,
  direction: 1 | -1
): Row | undefined => {
  const found = rows.filter(holds)
  return direction === 1
    ? (found.find(({ seq }) => seq > from) ?? found[0])
    : (found.findLast(({ seq }) => seq < from) ?? found.at(-1))
}
