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

/** What a call will do. */
interface Asked {
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

const askedOf = ({ display: { kind, title }, input }: Question): Asked => {
  const fields = inputOf(input)
  if (!Predicate.isReadonlyRecord(fields)) return { change: null, titled: null, rest: input }
  const change = kind === "edit" ? changeIn(fields) : null
  if (change !== null) {
    const { oldText } = change
    return {
      change,
      titled: null,
      rest: without(fields, ["path", ...(oldText === null ? ["content"] : ["oldText", "newText"])])
    }
  }
  for (const [name, value] of title === null ? [] : Object.entries(fields)) {
    if (typeof value === "string" && CallDisplay.titleOf(value) === title)
      return { change, titled: value, rest: without(fields, [name]) }
  }
  return { change, titled: null, rest: fields }
}

/** The change of a file that a call will make; null when it makes none. */
export const changeOf = (question: Question): Change | null =>
  question.display.inquiry === undefined ? askedOf(question).change : null

const textOf = ({ from, link, text }: Inquiry): string => `${from}: ${text}${link === undefined ? "" : ` ${link}`}`

const isNothing = (rest: Asked["rest"]): boolean => typeof rest === "object" && Object.keys(rest).length === 0

/** The title of a question. */
export const titleOf = (question: Question): string => {
  const { display, tool } = question
  const { inquiry } = display
  if (inquiry !== undefined) return TerminalText.short(textOf(inquiry), longestTitle)
  const { rest, titled } = askedOf(question)
  const subject = (titled ?? display.title ?? tool).trim()
  const others = isNothing(rest) ? "" : ` ${typeof rest === "string" ? rest : JSON.stringify(rest)}`
  return TerminalText.short(`${subject}${others}`, longestTitle)
}

/** The content of a question. `change` is the change that its call will make, as it is shown. */
export const contentOf = (question: Question, change: Change | null): Array<ToolCallContent> => {
  const { inquiry, kind } = question.display
  if (inquiry !== undefined) return [code("", textOf(inquiry))]
  const { rest, titled } = askedOf(question)
  const diff = (change: Change): ToolCallContent => ({
    type: "diff",
    path: change.path,
    oldText: change.oldText === null ? null : bounded(change.oldText),
    newText: bounded(change.newText)
  })
  return [
    ...(change === null ? [] : [diff(change)]),
    ...(titled === null ? [] : [code(kind === "execute" ? "console" : "", titled)]),
    ...(isNothing(rest)
      ? []
      : [typeof rest === "string" ? code("", rest) : code("json", JSON.stringify(rest, null, 2))])
  ]
}
