/**
 * Why a path is refused, as one typed error. A refusal is an answer about the text of the path alone: nothing was looked
 * up on a disk. It says nothing about paths that are merely absent or unreadable.
 */
import { Schema } from "effect"

/**
 * - `nul-byte`: holds U+0000, where the system would cut the path
 * - `lone-surrogate`: is not valid Unicode, so two such names would become the same on disk
 * - `not-absolute`: is not absolute where an absolute path is needed
 * - `drive-relative`: `C:x` or `C:`, which depend on a hidden current directory
 * - `device-path`: names a device or an NT object, not a file on a drive or a share
 * - `verbatim`: after `\\?\` holds a spelling that Windows takes literally and other programs do not
 * - `stream`: holds a colon, which names an alternate data stream
 * - `dot-space-segment`: a name of dots and spaces only, which may be read as `.` or `..`
 * - `reserved-name`: a name that Windows gives to a device, such as `CON` or `nul.txt`
 * - `outside`: does not lie in the workspace
 */
export const PathRefusal = Schema.Literal(
  "nul-byte",
  "lone-surrogate",
  "not-absolute",
  "drive-relative",
  "device-path",
  "verbatim",
  "stream",
  "dot-space-segment",
  "reserved-name",
  "outside"
)
export type PathRefusal = typeof PathRefusal.Type

const explanations: Record<PathRefusal, string> = {
  "nul-byte": "it holds a NUL byte",
  "lone-surrogate": "it contains half of a surrogate pair and is not valid Unicode",
  "not-absolute": "it is not absolute",
  "drive-relative": "it depends on the current directory of a drive",
  "device-path": "it names a device",
  verbatim: "it holds a part that is taken literally after \\\\?\\",
  stream: "a colon names an alternate data stream",
  "dot-space-segment": "it has a part of dots and spaces only",
  "reserved-name": "it holds a name that Windows reserves for a device",
  outside: "it is outside the workspace"
}

/** The path as it was passed, and why it is refused. The message quotes the path with control characters escaped. */
export class PathRefused extends Schema.TaggedError<PathRefused>()("PathRefused", {
  path: Schema.String,
  reason: PathRefusal
}) {
  override get message(): string {
    return `Path ${JSON.stringify(this.path)} is refused: ${explanations[this.reason]}`
  }
}
