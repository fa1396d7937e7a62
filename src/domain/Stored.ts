/**
 * How stored values are read. A later version may have written words, parts and fields that this one does not know.
 * They stay in their rows as they are, and are read like this:
 *
 * - If a list of words has `other`, an unknown word reads as `other`; for a run's end, the detail then names it.
 * - A part of a type that its message cannot have here reads as an `OpaquePart`, a message of an unknown role as an
 *   `OtherMessage`, an event of an unknown type as an event of type `other`.
 * - A model's option that does not decode is left out. A tool with an unknown access counts as a tool that writes.
 * - Unknown fields are left out.
 *
 * Anything else that does not decode is damaged. What clients send is checked by the Schemas of the other files.
 */
import { Record, Schema } from "effect"
import * as Display from "./CallDisplay.js"
import * as Known from "./Message.js"
import * as Model from "./ModelRef.js"
import * as Opaque from "./Opaque.js"
import * as Permission from "./Permission.js"
import * as Run from "./Run.js"
import * as SessionEvent from "./SessionEvent.js"
import { Word } from "./Word.js"

const isWord = Schema.is(Word)

/** Reads a word of a list; `unknown` replaces words that are not on it. A text that is not a word stays as it is. */
const reader = <A extends string>(list: Schema.Schema<A>, unknown: NoInfer<A>) => {
  const isKnown = Schema.is(list)
  return (stored: string | null): string | null => (isKnown(stored) || !isWord(stored) ? stored : unknown)
}

const wordOf = <A extends string>(list: Schema.Schema<A>, unknown: NoInfer<A>) => {
  const isKnown = Schema.is(list)
  return Schema.transform(Word, list, {
    strict: true,
    decode: (word) => (isKnown(word) ? word : unknown),
    encode: (word) => word
  })
}

/** A role; a word of a later version reads as "other". */
export const Role = wordOf(Known.Role, "other")
/** A result's outcome; a word of a later version reads as "other". */
export const Outcome = wordOf(Known.Outcome, "other")
/** A run's stop reason; a word of a later version reads as "other". */
export const StopReason = wordOf(Run.StopReason, "other")
/** A verdict; a word of a later version reads as "other". */
export const Verdict = wordOf(Permission.AnyVerdict, "other")
/** A tool's access; a word of a later version reads as "write". */
export const Access = wordOf(Permission.Access, "write")

/** How a call is shown; a kind of a later version reads as "other". */
export const CallDisplay = Schema.Struct({ ...Display.CallDisplay.fields, kind: wordOf(Display.Kind, "other") })

const stopReasonOf = reader(Run.StopReason, "other")

interface End {
  readonly stopReason: string | null
  readonly detail: string | null
}

/** How a run ended; the detail names a reason that is unknown here. */
const endOf = ({ detail, stopReason: stored }: End): End => {
  const stopReason = stopReasonOf(stored)
  return stopReason === stored
    ? { detail, stopReason }
    : { detail: detail === null ? stored : `${stored}: ${detail}`, stopReason }
}

/** Reads a run from its columns. */
export const run = <R extends End>(row: R) => ({ ...row, ...endOf(row) })

const isType = (type: string): boolean =>
  SessionEvent.Durable.members.some(({ fields }) => fields.type.literals[0] === type)

const roleOf = reader(Known.Role, "other")
const outcomeOf = reader(Known.Outcome, "other")
const verdictOf = reader(Permission.AnyVerdict, "other")

interface Event extends End {
  readonly type: string
  readonly role: string | null
  readonly outcome: string | null
  readonly verdict: string | null
}

/** Reads an event from the columns of what it shows. */
export const event = <R extends Event>(row: R) => ({
  ...run(row),
  ...(isType(row.type) || !isWord(row.type) ? {} : { type: "other", unknownType: row.type }),
  role: roleOf(row.role),
  outcome: outcomeOf(row.outcome),
  verdict: verdictOf(row.verdict)
})

/** An answer; a verdict of a later version reads as "other". */
export const Answer = Schema.Struct({ ...Permission.Answer.fields, verdict: Verdict })

const isOptions = Schema.is(Model.Options)
const Fields = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const Options = Schema.compose(
  Schema.transform(Fields, Fields, {
    strict: true,
    decode: (stored) => Record.filter(stored, (value, name) => isOptions({ [name]: value })),
    encode: (options) => options
  }),
  Model.Options,
  { strict: false }
)

/** The model of a session, without options that this version does not know. */
export const ModelRef = Schema.Struct({
  ...Model.ModelRef.fields,
  options: Schema.optionalWith(Options, { exact: true })
})

const UserMessage = Schema.Struct({
  ...Known.UserMessage.fields,
  parts: Schema.Array(Schema.Union(Known.TextPart, Known.FilePart, Opaque.partBut("text", "file")))
})

/** Why a step ended; a word of a later version reads as "other". */
export const FinishReason = wordOf(Known.FinishReason, "other")

const AssistantMessage = Schema.Struct({
  ...Known.AssistantMessage.fields,
  parts: Schema.Array(
    Schema.Union(Known.TextPart, Known.ReasoningPart, Known.CallPart, Opaque.partBut("text", "reasoning", "call"))
  ),
  finish: FinishReason
})

/** A result; an outcome of a later version reads as "other". */
export const ResultMessage = Schema.Struct({ ...Known.ResultMessage.fields, outcome: Outcome })

const isRole = Schema.is(Known.Role)

const OtherMessage = Schema.transform(
  Schema.Struct({ role: Word.pipe(Schema.filter((role) => !isRole(role))) }, Fields),
  Known.OtherMessage,
  {
    strict: true,
    decode: (stored) => ({ role: "other" as const, unknownRole: stored.role, stored }),
    encode: ({ stored, unknownRole }) => ({ ...stored, role: unknownRole })
  }
)

/** The message of a queued run. */
export const QueuedMessage = Schema.Union(UserMessage, OtherMessage)

/** A message, with what a later version wrote kept as it is. */
export const Message = Schema.Union(UserMessage, AssistantMessage, ResultMessage, OtherMessage)
