/**
 * What a command fails with beyond Skein's own errors, what is said of a failure, and the exit code:
 * 0 done, 1 failed, 2 wrong usage or configuration, 130 cancelled.
 */
import { HelpDoc, ValidationError } from "@effect/cli"
import { Cause, Exit, Option, Predicate, Schema } from "effect"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Ansi from "./terminal/Ansi.js"
import * as TerminalText from "./terminal/TerminalText.js"

/** The command line asks for something that makes no sense. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("WrongUsage", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** The configuration file cannot be read, or is not what it should be. */
export class ConfigurationUnusable extends Schema.TaggedError<ConfigurationUnusable>()("ConfigurationUnusable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Cannot use the configuration ${this.path}: ${this.detail}`
  }
}

/** Nothing says which model to ask. `path` is where the configuration would be, `providers` those that it names. */
export class NoModel extends Schema.TaggedError<NoModel>()("NoModel", {
  path: Schema.String,
  providers: Schema.Array(Schema.String)
}) {
  override get message() {
    const named =
      this.providers.length === 0
        ? []
        : [`  --model PROVIDER/MODEL                one of the providers configured: ${this.providers.join(", ")}`]
    return [
      "No model is set up. Any of these will do:",
      "  ANTHROPIC_API_KEY or OPENAI_API_KEY   set in the environment, for Anthropic's or OpenAI's models",
      "  --model PROVIDER/MODEL                for this session, or SKEIN_MODEL=PROVIDER/MODEL for all",
      ...named,
      "  --model script/FILE.json              answers written down in a file; needs no network",
      `  ${this.path}`,
      '    {"model": "local/NAME", "providers": {"local": {"kind": "chat-completions", "baseUrl": "http://127.0.0.1:11434/v1"}}}',
      "skein demo shows Skein without any."
    ].join("\n")
  }
}

/** What the command writes cannot be written. `code` is the system's, EPIPE when nobody reads any more. */
export class OutputFailed extends Schema.TaggedError<OutputFailed>()("OutputFailed", { code: Schema.String }) {
  override get message() {
    return `Cannot write the output: ${this.code}`
  }
  get isClosed() {
    return ["EPIPE", "ERR_STREAM_DESTROYED", "EOF"].includes(this.code)
  }
}

/** Failures that the user mends by asking for something else or by setting something up. */
const ofUsage = new Set(["WrongUsage", "ConfigurationUnusable", "NoModel", "InvalidInput", "ModelUnavailable"])

const codeOfError = (error: unknown): number => {
  if (ValidationError.isValidationError(error)) return 2
  if (error instanceof OutputFailed && error.isClosed) return 0
  if (error instanceof SkeinError.RunStopped && error.stopReason === "cancelled") return 130
  return Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) && ofUsage.has(error._tag) ? 2 : 1
}

export const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterrupted(exit.cause)) return 130
  return Option.match(Cause.failureOption(exit.cause), { onNone: () => 1, onSome: codeOfError })
}

const textOf = (error: unknown): string => {
  if (ValidationError.isValidationError(error)) {
    const text = Ansi.strip(HelpDoc.toAnsiText(error.error)).replace(/\s+/g, " ").trim()
    const clear = text.replace("Received unknown argument: '-", "Unknown option, or one without its value: '-")
    return `${TerminalText.line(clear)} (see --help)`
  }
  if (error instanceof NoModel) return TerminalText.block(error.message)
  return TerminalText.line(error instanceof Error ? error.message : "it failed")
}

/** What to say of a failure, on one line but for `NoModel`. Null when nothing is to be said. */
export const report = (cause: Cause.Cause<unknown>): string | null => {
  if (Cause.isInterrupted(cause)) return null
  const failure = Option.getOrNull(Cause.failureOption(cause))
  if (failure instanceof OutputFailed && failure.isClosed) return null
  if (failure !== null) return `skein: ${textOf(failure)}`
  const defect = Cause.squash(cause)
  const name = defect instanceof Error ? `${defect.name}: ${defect.message}` : typeof defect
  return `skein: internal error, please report it: ${TerminalText.short(name, 300)}`
}
