/**
 * Why a workspace tool refused a call. Paths in these errors are as the tools print them, relative to the workspace. No
 * message says where the workspace is, or where a link out of it points.
 */
import { Predicate, Schema } from "effect"

/**
 * - `no-workspace`: the session has no folder
 * - `not-found`: nothing is there
 * - `outside`: a link on the way leads out of the workspace
 * - `link`: a symbolic link that points at nothing, or at itself, or took the file's place
 * - `not-a-file`: a folder, a pipe, a device or a socket
 * - `not-a-folder`: a file, where a folder was expected
 * - `hard-linked`: the file has other names, which a change would separate from it
 * - `pseudo`: the file is one of the kernel's, such as those in /proc
 * - `binary`: holds NUL bytes in its first 64 KiB
 * - `not-text`: is not valid UTF-8, or would no longer be
 * - `too-large`: larger than a tool takes whole
 * - `changed`: the file changed after it was read
 * - `no-access`, `no-space`, `name-too-long`: what the system said
 * - `failed`: any other error of the system; `code` names it
 */
export const FileRefusal = Schema.Literal(
  "no-workspace",
  "not-found",
  "outside",
  "link",
  "not-a-file",
  "not-a-folder",
  "hard-linked",
  "pseudo",
  "binary",
  "not-text",
  "too-large",
  "changed",
  "no-access",
  "no-space",
  "name-too-long",
  "failed"
)
export type FileRefusal = typeof FileRefusal.Type

const explanations: Record<FileRefusal, string> = {
  "no-workspace": "the session has no folder",
  "not-found": "there is no such file or folder",
  outside: "it leads out of the workspace",
  link: "it is a symbolic link to nothing",
  "not-a-file": "it is not a regular file",
  "not-a-folder": "it is, or goes through, something that is not a folder",
  "hard-linked": "the file has more than one name (hard link)",
  pseudo: "it belongs to the kernel's own file systems",
  binary: "it is a binary file",
  "not-text": "it is not valid UTF-8 text",
  "too-large": "it is too large",
  changed: "it changed in the meantime; read it again",
  "no-access": "the system denies access",
  "no-space": "no space is left",
  "name-too-long": "the name is too long",
  failed: "the system failed"
}

/** A file or folder that a tool must not or cannot use. */
export class FileRefused extends Schema.TaggedError<FileRefused>()("FileRefused", {
  path: Schema.String,
  reason: FileRefusal,
  /** What the system called it, such as EIO; null when the tool itself refused. */
  code: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    if (this.path === "." && (this.reason === "not-found" || this.reason === "not-a-folder")) {
      return "Cannot use .: the session's folder is gone"
    }
    return `Cannot use ${this.path}: ${this.why}`
  }
  /** The message without the path. */
  get why(): string {
    const code = this.reason === "failed" && this.code !== null ? ` (${this.code})` : ""
    return `${explanations[this.reason]}${code}`
  }
}

/** The text to replace does not occur in the file, or occurs more than once. Nothing was changed. */
export class TextNotFound extends Schema.TaggedError<TextNotFound>()("TextNotFound", {
  path: Schema.String,
  occurrences: Schema.Int
}) {
  override get message(): string {
    return this.occurrences === 0
      ? `oldText does not occur in ${this.path}; read the file and copy the text exactly`
      : `oldText occurs ${this.occurrences} times in ${this.path}; add lines around it until it is unique, or set all`
  }
}

/** The text to replace and its replacement are the same, except for line ends, which stay the file's own. */
export class NothingToChange extends Schema.TaggedError<NothingToChange>()("NothingToChange", {
  path: Schema.String
}) {
  override get message(): string {
    return `newText is the same as oldText; nothing to change in ${this.path} (the file keeps its line endings)`
  }
}

/** The line to start from is beyond the end of the file. */
export class OffsetPastEnd extends Schema.TaggedError<OffsetPastEnd>()("OffsetPastEnd", {
  path: Schema.String,
  offset: Schema.Int,
  lines: Schema.Int
}) {
  override get message(): string {
    return `${this.path} has ${this.lines} lines; there is no line ${this.offset}`
  }
}

/** A glob or a regular expression that cannot be used. */
export class PatternRefused extends Schema.TaggedError<PatternRefused>()("PatternRefused", {
  pattern: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Pattern ${JSON.stringify(this.pattern)} is refused: ${this.detail}`
  }
}

const reasons: Readonly<Record<string, FileRefusal>> = {
  ENOENT: "not-found",
  ELOOP: "link",
  ENOTDIR: "not-a-folder",
  EISDIR: "not-a-file",
  ENXIO: "not-a-file",
  EACCES: "no-access",
  EPERM: "no-access",
  EROFS: "no-access",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  ENAMETOOLONG: "name-too-long"
}

export const refuse = (path: string, reason: FileRefusal): FileRefused => new FileRefused({ path, reason, code: null })

/**
 * Turns a rejected call of node:fs into a refusal, without its message, which holds machine paths. Returns a refusal as
 * it is.
 */
export const refusalOf = (path: string, cause: unknown): FileRefused => {
  if (cause instanceof FileRefused) return cause
  const code = Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : "unknown error"
  return new FileRefused({ path, reason: reasons[code] ?? "failed", code })
}
