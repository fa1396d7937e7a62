/**
 * The command line's own errors, the text of every failure, and the exit code:
 * 0 done, 1 failed, 2 wrong usage or configuration, 130 cancelled.
 */
import { Cause, Exit, Option, Predicate, Schema } from "effect"
import { statSync } from "node:fs"
import { dirname } from "node:path"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Shortage from "./Shortage.js"
import { cancelled } from "./Signals.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Codes from "./texts/Codes.js"
import * as Texts from "./texts/Failures.js"
import * as Maintenance from "./texts/Maintenance.js"
import * as Serve from "./texts/Serve.js"

/** The command line contradicts itself, or needs more. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("WrongUsage", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

const FileIssue = Schema.Struct({
  /** Where in the file, counted from 1; null when it is the file as a whole. */
  place: Schema.NullOr(Schema.Struct({ line: Schema.Int, column: Schema.Int })),
  detail: Schema.String
})
export type FileIssue = typeof FileIssue.Type

/** No server of this host is found, or the one that runs listens only where no browser reaches it by itself. */
export class ServerMissing extends Schema.TaggedError<ServerMissing>()("ServerMissing", {
  hasAddress: Schema.Boolean
}) {
  override get message() {
    return this.hasAddress ? Serve.noServer : Serve.noPage
  }
}

/** The configuration file cannot be read, or is invalid. */
export class ConfigurationUnusable extends Schema.TaggedError<ConfigurationUnusable>()("ConfigurationUnusable", {
  path: Schema.String,
  issues: Schema.Array(FileIssue)
}) {
  override get message() {
    return Texts.unusableConfiguration(this.path, this.issues)
  }
}

/** No model is set up. `path` is where the configuration would be, `providers` those that it names. */
export class NoModel extends Schema.TaggedError<NoModel>()("NoModel", {
  path: Schema.String,
  providers: Schema.Array(Schema.String)
}) {
  override get message() {
    return Texts.noModel(this.path, this.providers)
  }
}

/** The output cannot be written. `code` is the system's; EPIPE when nobody reads any more. */
export class OutputFailed extends Schema.TaggedError<OutputFailed>()("OutputFailed", { code: Schema.String }) {
  override get message() {
    return Texts.unwritableOutput(this.code)
  }
  get isClosed() {
    return ["EPIPE", "ERR_STREAM_DESTROYED", "EOF"].includes(this.code)
  }
}

/** A run ended without an answer. `detail` is the cause, and what to do about it. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", {
  stopReason: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** The input ended, or somebody typed its end, while a question waited: that is no answer. The run is cancelled. */
export class InputEnded extends Schema.TaggedError<InputEnded>()("InputEnded", {}) {
  override get message() {
    return Texts.inputEnded
  }
}

/** Stored data is damaged. */
export class Unhealthy extends Schema.TaggedError<Unhealthy>()("Unhealthy", {
  path: Schema.String,
  what: Schema.Literal("folder", "database"),
  damaged: Schema.Int,
  repairable: Schema.Int
}) {
  override get message() {
    return Maintenance.unhealthy(this.path, this.what, this.damaged, this.repairable)
  }
}

/** A database was rebuilt, and not all of its rows could be read. */
export class Incomplete extends Schema.TaggedError<Incomplete>()("Incomplete", {
  path: Schema.String,
  /** Rows that could not be read, and pages that could not be read at all. */
  lost: Schema.Int,
  /** How many sessions have lost messages. */
  sessions: Schema.Int
}) {
  override get message() {
    return Maintenance.incomplete(this.path, this.lost, this.sessions)
  }
}

/** A backup was made, and what was backed up is damaged. */
export class DamagedBackup extends Schema.TaggedError<DamagedBackup>()("DamagedBackup", {
  problems: Schema.Int,
  /** Whether older backups would have been removed. */
  removesOlder: Schema.Boolean
}) {
  override get message() {
    return Maintenance.damagedBackup(this.problems, this.removesOlder)
  }
}

/** A damaged backup was restored, but not all of it. */
export class RestoredInPart extends Schema.TaggedError<RestoredInPart>()("RestoredInPart", {
  data: Schema.String,
  lost: Schema.Struct({ messages: Schema.Int, files: Schema.Int, rows: Schema.Int }),
  damaged: Schema.Int,
  isExact: Schema.Boolean
}) {
  override get message() {
    return Maintenance.restoredInPart(this)
  }
}

/** A server that a command goes through did not do what it was asked. A defect, because no operation fails with it. */
export class ServerLost extends Schema.TaggedError<ServerLost>()("ServerLost", {
  reason: Schema.Literal("unreachable", "refused", "malformed"),
  detail: Schema.String
}) {
  override get message() {
    return Serve.serverLost(this.reason, this.detail)
  }
}

/** Sessions could not be exported or imported, and nothing is left of what was begun. */
export class TransferFailed extends Schema.TaggedError<TransferFailed>()("TransferFailed", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** An editor sent a message that is too long to read. */
export class EditorTooLong extends Schema.TaggedError<EditorTooLong>()("EditorTooLong", {}) {
  override get message() {
    return Texts.editorTooLong
  }
}

/** Failures that another command line or configuration would avoid. */
const ofUsage = new Set(["WrongUsage", "ConfigurationUnusable", "NoModel", "InvalidInput", "ModelUnavailable"])

const codeOfError = (error: unknown): number => {
  if (error instanceof OutputFailed && error.isClosed) return 0
  if (error instanceof InputEnded || (error instanceof RunFailed && error.stopReason === "cancelled")) return cancelled
  return Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) && ofUsage.has(error._tag) ? 2 : 1
}

export const exitCode = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterruptedOnly(exit.cause)) return cancelled
  return Option.match(Cause.failureOption(exit.cause), { onNone: () => 1, onSome: codeOfError })
}

/** Seconds of a wait, for people. */
const seconds = (millis: number): number => Math.round(millis / 1000)

const messageOf = (error: unknown): string => {
  if (error instanceof SkeinError.StorageUnusable) {
    const { detail, path, reason } = error
    return Texts.unusableStorage(path, reason, Codes.ofDatabase(detail)) + ownerOf(error)
  }
  if (error instanceof SkeinError.StorageFailed)
    return Texts.storageFailed(error.operation, Codes.ofDatabase(error.code)) + hintOf(error.code)
  if (error instanceof SkeinError.RowDamaged) return `${error.message}; ${Texts.doctorShowsMore}`
  if (error instanceof SkeinError.StorageBusy) return Texts.storageBusy(seconds(error.waitedMillis))
  if (error instanceof SkeinError.SessionBusy) return Texts.sessionBusy(error.sessionId, error.runId)
  return error instanceof Error ? error.message : Texts.unknown
}

const hintOf = (code: string): string => (Codes.tellsDamage(code) ? `; ${Texts.doctorShowsMore}` : "")

/** The owner of a path that this process cannot use, if that is another user. */
const ownerOf = ({ path, reason }: SkeinError.StorageUnusable): string => {
  const user = process.getuid?.()
  const found = reason === "no-access" && user !== undefined ? nearest(path) : null
  return found === null || found.uid === user ? "" : Texts.foreign(found.path, found.uid)
}

/** The path, or the nearest folder above it that exists, with its owner. */
const nearest = (path: string): { readonly path: string; readonly uid: number } | null => {
  try {
    return { path, uid: statSync(path).uid }
  } catch {
    const parent = dirname(path)
    return parent === path ? null : nearest(parent)
  }
}

const textOf = (error: unknown): string => {
  const text = Codes.explain(messageOf(error))
  return error instanceof NoModel || error instanceof ConfigurationUnusable
    ? TerminalText.block(text)
    : TerminalText.line(text)
}

/** A failure that the command has met and that does not end it. */
export const line = (error: unknown): string => `skein: ${textOf(error)}`

/** Whether Node could not say which folder is the current one: whatever needs it may meet that. */
const isFolderGone = (defect: unknown): boolean =>
  Predicate.hasProperty(defect, "syscall") && defect.syscall === "uv_cwd"

/**
 * The text of a failure: one line, except for `NoModel` and for several issues of a configuration. Null for an end that
 * needs no message.
 */
export const report = (cause: Cause.Cause<unknown>): string | null => {
  if (Cause.isInterruptedOnly(cause)) return null
  const failure = Option.getOrNull(Cause.failureOption(cause))
  if (failure instanceof OutputFailed && failure.isClosed) return null
  if (failure !== null) return line(failure)
  const defect = Cause.squash(cause)
  if (defect instanceof ServerLost) return line(defect)
  if (isFolderGone(defect)) return `skein: ${Texts.folderGone}`
  const shortage = Shortage.textOf(defect)
  if (shortage !== null) return `skein: ${TerminalText.line(shortage)}`
  const name = defect instanceof Error ? `${defect.name}: ${defect.message}` : typeof defect
  return `skein: ${Texts.internal(TerminalText.short(name, 300))}`
}
