/**
 * How an editor's user is shown a call that is asked about: the whole of its input. Some editors show only a question's
 * title, others only its content. So the title says all that fits on a line, with a "…" where it is cut, and the content
 * says all of it: a changed file as a diff, a command and other fields as code. Pure.
 */
import type { ToolCallContent } from "@agentclientprotocol/sdk"
import { Predicate } from "effect"
import * as CallDisplay from "../../domain/CallDisplay.js"
import type { Inquiry } from "../../domain/Inquiry.js"
import type { Question } from "../../domain/Permission.js"
import * as SafeText from "../../domain/SafeText.js"
import * as TerminalText from "../cli/terminal/TerminalText.js"
import { inputOf } from "../http/protocols/ResultContent.js"

/** Columns of a title. */
const longestTitle = 1024

/** Characters of one text of the content. The raw input has what is left out. */
const longestText = 64 * 1024

const bounded = (text: string): string =>
  text.length <= longestText
    ? text
    : `${SafeText.wellFormed(text.slice(0, longestText))}\n[… ${text.length - longestText} more characters]`

/** A text in Markdown as it is, whatever marks are in it. */
const code = (language: string, whole: string): ToolCallContent => {
  const text = TerminalText.block(bounded(whole))
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map(({ length }) => length))
  const fence = "`".repeat(longest + 1)
  return { type: "content", content: { type: "text", text: `${fence}${language}\n${text}\n${fence}` } }
}

/** A change of a file: a whole content, or one text in place of another. */
export interface Change {
  readonly path: string
  /** Null where the whole file is written. */
  readonly oldText: string | null
  readonly newText: string
}

/** What the input of a call says. */
interface Read {
  /** As an editor gets it. */
  readonly rawInput: unknown
  readonly change: Change | null
  /** The field that the call's title shows the beginning of. */
  readonly titled: string | null
  /** All that is neither of these; as text if it has no fields. */
  readonly rest: Readonly<Record<string, unknown>> | string
}

const without = (fields: Readonly<Record<string, unknown>>, names: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))

const changeIn = ({ content, newText, oldText, path }: Readonly<Record<string, unknown>>): Change | null => {
  if (typeof path !== "string") return null
  if (typeof content === "string") return { path, oldText: null, newText: content }
  return typeof oldText === "string" && typeof newText === "string" ? { path, oldText, newText } : null
}

const read = ({ display: { kind, title }, input }: Question): Read => {
  const fields = inputOf(input)
  if (!Predicate.isReadonlyRecord(fields)) return { rawInput: fields, change: null, titled: null, rest: input }
  const change = kind === "edit" ? changeIn(fields) : null
  if (change !== null) {
    const { oldText } = change
    return {
      rawInput: fields,
      change,
      titled: null,
      rest: without(fields, ["path", ...(oldText === null ? ["content"] : ["oldText", "newText"])])
    }
  }
  for (const [name, value] of title === null ? [] : Object.entries(fields)) {
    if (typeof value === "string" && CallDisplay.titleOf(value) === title)
      return { rawInput: fields, change, titled: value, rest: without(fields, [name]) }
  }
  return { rawInput: fields, change, titled: null, rest: fields }
}

const textOf = ({ from, link, text }: Inquiry): string => `${from}: ${text}${link === undefined ? "" : ` ${link}`}`

const isNothing = (rest: Read["rest"]): boolean => typeof rest === "object" && Object.keys(rest).length === 0

const diff = ({ newText, oldText, path }: Change): ToolCallContent => ({
  type: "diff",
  path,
  oldText: oldText === null ? null : bounded(oldText),
  newText: bounded(newText)
})

/** What an editor shows of a call that is asked about. */
export interface Shown {
  readonly title: string
  readonly rawInput: unknown
  /** The change of a file that the call will make; null when it makes none. */
  readonly change: Change | null
  /** `change` is that change as it is shown. */
  readonly content: (change: Change | null) => Array<ToolCallContent>
}

export const of = (question: Question): Shown => {
  const { display, input, tool } = question
  const { inquiry, kind } = display
  if (inquiry !== undefined) {
    const text = textOf(inquiry)
    const title = TerminalText.short(text, longestTitle)
    return { title, rawInput: inputOf(input), change: null, content: () => [code("", text)] }
  }
  const { change, rawInput, rest, titled } = read(question)
  const subject = (titled ?? display.title ?? tool).trim()
  const others = isNothing(rest) ? "" : ` ${typeof rest === "string" ? rest : JSON.stringify(rest)}`
  return {
    title: TerminalText.short(`${subject}${others}`, longestTitle),
    rawInput,
    change,
    content: (change) => [
      ...(change === null ? [] : [diff(change)]),
      ...(titled === null ? [] : [code(kind === "execute" ? "console" : "", titled)]),
      ...(isNothing(rest)
        ? []
        : [typeof rest === "string" ? code("", rest) : code("json", JSON.stringify(rest, null, 2))])
    ]
  }
}
