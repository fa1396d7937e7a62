/**
 * `plan`: a tool with which a model shows people how it means to do a longer piece of work, and how far it has come.
 * Each call has all steps, and the newest is the plan. It is kept only in the transcript, like any other call.
 */
import { Effect, Either, Option, Schema } from "effect"
import * as BoundedJson from "../domain/BoundedJson.js"
import type { CallPart } from "../domain/Message.js"
import * as Tool from "./Tool.js"

/** A step of a plan. `priority` is how much it matters to the person. */
export const Step = Schema.Struct({
  content: Schema.String.annotations({ description: "What is done in it, in a few words" }),
  status: Schema.Literal("pending", "in_progress", "completed"),
  priority: Schema.optionalWith(Schema.Literal("high", "medium", "low"), { default: () => "medium" })
}).annotations({ identifier: "PlanStep" })
export type Step = typeof Step.Type

const input = { steps: Schema.Array(Step).annotations({ description: "All of them, in order" }) }

const marks: Readonly<Record<Step["status"], string>> = { pending: "[ ]", in_progress: "[>]", completed: "[x]" }

const isDone = ({ status }: Step): boolean => status === "completed"

/** A line for each step. */
const text = (steps: ReadonlyArray<Step>): string =>
  steps.length === 0
    ? "[the plan is empty]"
    : steps.map(({ content, status }) => `${marks[status]} ${content}`).join("\n")

/** Editors show it as the plan of the session; elsewhere it is a call whose result has a line for each step. */
export const tool = Tool.make("plan", {
  description:
    "Shows the person how you mean to do a piece of work of three steps or more, and how far you are. Give all steps each " +
    "time: when you begin, and whenever one starts, is done or changes.",
  access: "read",
  input
}).handle(({ steps }) => Effect.succeed(text(steps)), {
  title: ({ steps }) => `Plan: ${steps.filter(isDone).length} of ${steps.length} done`
})

const decode = Schema.decodeUnknownOption(Schema.Struct(input))

/** Returns the steps of a call, if it is a readable call of this tool. */
export const stepsOf = ({ input, name }: Pick<CallPart, "input" | "name">): Option.Option<ReadonlyArray<Step>> =>
  name === tool.name
    ? Option.map(Option.flatMap(Either.getRight(BoundedJson.parse(input)), decode), ({ steps }) => steps)
    : Option.none()
