/**
 * What a call's handler returned, before it is bounded. Failures and defects become data here, and only here: no other
 * code inspects a tool's whole Exit. Inspecting it never fails, whatever the tool failed with.
 */
import { Cause, Either, Exit, Inspectable, Option, ParseResult } from "effect"
import * as Issues from "../../domain/Issues.js"
import type { Outcome } from "../../domain/Message.js"
import { ofText, type Result } from "../ToolResult.js"

export interface HandlerResult {
  readonly outcome: Outcome
  readonly output: Result
}

export const make = (outcome: Outcome, text: string): HandlerResult => ({ outcome, output: ofText(text) })

/** What a failure says about itself, never a stack. A failure whose own code breaks is named by its type. */
export const describe = (error: unknown): string =>
  Either.getOrElse(
    Either.try(() => said(error)),
    () => typeof error
  )

/** What is logged of a defect: its name, because a defect's text may hold anything. */
export const nameOf = (defect: unknown): string => (defect instanceof Error ? defect.name : typeof defect)

const said = (error: unknown): string => {
  if (ParseResult.isParseError(error)) return Issues.format(error)
  if (error instanceof Error) return error.message === "" ? error.name : `${error.message}`
  return Inspectable.toStringUnknown(error, 0)
}

export const ofExit = (exit: Exit.Exit<Result, unknown>): HandlerResult =>
  Exit.match(exit, {
    onSuccess: (output): HandlerResult => ({ outcome: "success", output }),
    onFailure: (cause) => {
      const failure = Cause.failureOption(cause)
      if (Option.isSome(failure)) return make("failure", `The tool failed: ${describe(failure.value)}`)
      const defect = Cause.dieOption(cause)
      if (Option.isSome(defect)) return make("defect", `The tool broke: ${describe(defect.value)}`)
      return make("interrupted", "The tool was interrupted. Its effects are unknown.")
    }
  })
