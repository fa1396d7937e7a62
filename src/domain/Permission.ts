/** Whether a call may run: what a policy decides, the question to a human, and its one answer. */
import { type Effect, Schema } from "effect"
import type { Named } from "./Named.js"
import { CallDisplay } from "./CallDisplay.js"
import { id } from "./Id.js"
import * as Inquiry from "./Inquiry.js"
import { CallId } from "./Message.js"
import { RunId } from "./Run.js"
import { Seq, SessionId } from "./Session.js"
import { Timestamp } from "./Timestamp.js"

/** What a tool does to the world: `read` changes nothing. */
export const Access = Schema.Literal("read", "write")
export type Access = typeof Access.Type

/** How a call and others like it can be allowed for good. */
export interface Always {
  /** The rule that is stored, as people read it. */
  readonly pattern: string
  readonly store: Effect.Effect<void>
}

/** What a call that looks through folders must leave out, by its path from the session's folder down, with `/`. */
export interface Hides {
  (path: string): boolean
  /** How much work one path is: the wildcards and literal texts that it is compared with. 1 if not given. */
  readonly cost?: number
}

/** A policy's decision on one call. A denial's message is for the model. */
export type Decision =
  | { readonly _tag: "Allow"; readonly hides?: Hides }
  /** `always` is null where a call cannot be allowed for good. */
  | { readonly _tag: "Ask"; readonly always: Always | null; readonly hides?: Hides }
  | { readonly _tag: "Deny"; readonly message: string }

/** Unguessable: a client that can name a question has been shown it. */
export const QuestionId = id("QuestionId")
export type QuestionId = typeof QuestionId.Type

/**
 * `allow-once` allows this call, `allow-for-session` also every later call of the same tool in the session. `allow-always`
 * allows this call and has a rule stored: the question's `always`.
 */
export const Verdict = Schema.Literal("allow-once", "allow-for-session", "allow-always", "deny")
export type Verdict = typeof Verdict.Type

/** A verdict as it is read. `other` is a verdict of another version of Skein; it does not let a call run here. */
export const AnyVerdict = Schema.Literal(...Verdict.literals, "other")
export type AnyVerdict = typeof AnyVerdict.Type

/** What was answered to a question, and by whom. */
export const Answer = Schema.Struct({
  verdict: AnyVerdict,
  /** Why, for the model; with a denial. */
  message: Schema.NullOr(Schema.String),
  /** Who answered, as the host names people. Null when the run ended before anybody did. */
  by: Schema.NullOr(Schema.String),
  /** What was filled in; with `allow-once`, where the question has an `inquiry`. */
  values: Schema.optionalWith(Inquiry.Values, { exact: true }),
  /** Whether the question was dismissed instead of answered; with a denial. Absent when it was not. */
  isDismissed: Schema.optionalWith(Schema.Boolean, { exact: true })
}).annotations({ identifier: "Answer" })
export type Answer = Named<typeof Answer.Type, { readonly values: Inquiry.Values }>

/**
 * A question about one call, bound to its exact input: whether it may run or, with `display.inquiry`, what it asks while
 * it runs.
 */
export const Question = Schema.Struct({
  id: QuestionId,
  sessionId: SessionId,
  runId: RunId,
  callId: CallId,
  seq: Seq,
  tool: Schema.String,
  access: Access,
  /** The call's raw input, as it will be run. */
  input: Schema.String,
  display: CallDisplay,
  answer: Schema.NullOr(Answer),
  askedAt: Timestamp
}).annotations({ identifier: "Question" })
export type Question = Named<typeof Question.Type, { readonly answer: Answer | null }>

/** Returns the state that a call is in while a question with this display is open. */
export const askingState = ({ inquiry }: CallDisplay): "pending" | "started" =>
  inquiry === undefined ? "pending" : "started"

/** The answer stored for a question that is still open when its run ends. */
export const unanswered: Answer = { verdict: "deny", message: "the run ended before anybody answered", by: null }

/** The answer stored for a question that a call asked while it ran, and that is still open when the call ends. */
export const overtaken: Answer = { verdict: "deny", message: "the call ended before anybody answered", by: null }
