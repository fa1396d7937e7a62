/** Inquiries of running calls, put to a person at the terminal: first whether to answer, then field by field. */
import { Effect, Either } from "effect"
import * as Inquiry from "../../domain/Inquiry.js"
import type { Question, Verdict } from "../../domain/Permission.js"
import { isYes } from "./Confirmation.js"
import { InputEnded } from "./Failure.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import { leftOut, seeAll } from "./texts/Follow.js"
import * as Texts from "./texts/Inquiries.js"

/** What was answered. */
interface Answered {
  readonly verdict: Verdict
  readonly values?: Inquiry.Values
}

const declined: Answered = { verdict: "deny" }

const subjectOf = ({ tool }: Question, { from, link, text }: Inquiry.Inquiry) => ({
  title: Texts.asks(TerminalText.line(from), TerminalText.line(tool)),
  body: [text, ...(link === undefined ? [] : [link])].map(TerminalText.line).join(" "),
  hint: seeAll
})

const shown = (value: Inquiry.Value): string => (typeof value === "object" ? value.join(", ") : String(value))

/** What a field is, and how it is filled in. */
const promptOf = ({ initial, isRequired, kind, least, most, options = [], title }: Inquiry.Field): string => {
  const named = options.map(({ title }, index) => `${index + 1} = ${TerminalText.short(title, 40)}`)
  const empty =
    initial === undefined
      ? isRequired
        ? []
        : [Texts.canSkip]
      : [Texts.initial(TerminalText.short(shown(initial), 40))]
  const limits = [
    ...(least === undefined ? [] : [Texts.least(least)]),
    ...(most === undefined ? [] : [Texts.most(most)])
  ]
  return `${TerminalText.short(title, 80)} (${[Texts.kinds[kind], ...named, ...limits, ...empty].join("; ")}): `
}

type Filled = { readonly _tag: "Value"; readonly value: Inquiry.Value } | { readonly _tag: "Skipped" | "Ended" }

const readField =
  (field: Inquiry.Field) =>
  (typed: string | null): Filled | null => {
    if (typed === null) return { _tag: "Ended" }
    if (typed.trim() === "") {
      if (field.initial !== undefined) return { _tag: "Value", value: field.initial }
      return field.isRequired ? null : { _tag: "Skipped" }
    }
    return Either.match(Inquiry.read(field, typed), {
      onLeft: () => null,
      onRight: (value) => ({ _tag: "Value", value })
    })
  }

const readFirst = (typed: string | null): "all" | "yes" | "no" | "ended" =>
  typed === null ? "ended" : typed.trim().toLowerCase() === "a" ? "all" : isYes(typed) ? "yes" : "no"

/** Asks a person. Fails when the input ends. */
export const ask = Effect.fn("Inquiries.ask")(function* (question: Question, inquiry: Inquiry.Inquiry) {
  const screen = yield* Screen
  const subject = subjectOf(question, inquiry)
  while (true) {
    const first = yield* screen.ask({ subject, prompt: Texts.first(inquiry.fields.length) }, readFirst)
    if (first === "ended") return yield* new InputEnded()
    if (first === "no") return declined
    if (first === "yes") break
    yield* screen.writeError(`  ${subject.title}\n  ${subject.body}\n`)
  }
  const values: Record<string, Inquiry.Value> = {}
  for (const field of inquiry.fields) {
    const about = field.about === undefined ? "" : TerminalText.line(field.about)
    const asked = about === "" ? null : { title: TerminalText.short(field.title, 80), body: about, hint: leftOut }
    const filled = yield* screen.ask({ subject: asked, prompt: promptOf(field) }, readField(field))
    if (filled._tag === "Ended") return yield* new InputEnded()
    if (filled._tag === "Value") values[field.name] = filled.value
  }
  const answered: Answered = { verdict: "allow-once", values }
  return answered
})
