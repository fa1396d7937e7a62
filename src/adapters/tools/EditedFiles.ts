/**
 * Text files of the workspace as the editor that steers the session has them, unsaved changes included, or as they are
 * on disk when no editor offers them. What may be read and changed is decided on disk in either case: the editor is
 * never asked for a file that leads out of the workspace, is binary or is too large.
 *
 * Editors show a file's text, and many lose what is not text: its kind of line ends, its byte order mark, bytes that are
 * not UTF-8. So these are kept as they are on disk, and a text is not replaced in a file that is not UTF-8 there.
 *
 * The editor changes a file in its own way, not by a rename, and what somebody types between the last check of the
 * content and the change may be lost. A file that the editor does not know is read from disk; a file that it refuses to
 * read is not read.
 */
import { Effect, Option } from "effect"
import { Call } from "../../services/Tool.js"
import * as Editors from "./Editors.js"
import * as FileContent from "./FileContent.js"
import { type FileRefused, refuse } from "./FileErrors.js"
import * as FileReplacement from "./FileReplacement.js"
import * as LineEnds from "./LineEnds.js"
import type { OpenFile, Place, Workspace } from "./WorkspaceFiles.js"
import * as Files from "./WorkspaceFiles.js"

const offered = <K extends keyof Editors.Editor>(what: K) =>
  Effect.map(
    Editors.current,
    Option.flatMap((editor) => Option.fromNullable(editor[what]))
  )

/**
 * Returns the editor's version of a file that holds these bytes on disk, or those bytes when the editor has none, or
 * when they are not text or too large.
 */
export const orOnDisk = Effect.fnUntraced(function* (place: Place, onDisk: Uint8Array) {
  const read = yield* offered("read")
  if (Option.isNone(read) || onDisk.length > FileReplacement.maxBytes || FileContent.isBinary(onDisk)) return onDisk
  const text = yield* read.value(place).pipe(
    Effect.map(Option.some),
    Effect.catchIf(
      ({ reason }) => reason === "unknown",
      () => Effect.succeed(Option.none<string>())
    )
  )
  if (Option.isNone(text)) return onDisk
  if (text.value.length > FileReplacement.maxBytes) return yield* refuse(place.printed, "too-large")
  const shown = yield* FileContent.bytesOf(place.printed, text.value)
  return LineEnds.isSame(onDisk, shown) ? onDisk : LineEnds.fit(onDisk, shown).bytes
})

/** The whole file. */
export const readWhole = (
  file: OpenFile,
  place: Place
): Effect.Effect<Uint8Array, FileRefused | Editors.EditorFailed, Call> =>
  Effect.flatMap(FileContent.readWhole(file, FileReplacement.maxBytes), (onDisk) => orOnDisk(place, onDisk))

/** The whole file if the session has an editor that reads files and the file is not too large for it; else none. */
export const ofEditor = (file: OpenFile, place: Place) =>
  Effect.flatMap(offered("read"), (read) =>
    Option.isNone(read) || file.stats.size > BigInt(FileReplacement.maxBytes)
      ? Effect.succeedNone
      : Effect.asSome(readWhole(file, place))
  )

const checkUnchanged = (workspace: Workspace, place: Place, expected: string) =>
  Files.openPlace(workspace, place).pipe(
    Effect.flatMap(Files.asFile),
    Effect.flatMap((file) => FileContent.readWhole(file, FileReplacement.maxBytes)),
    Effect.scoped,
    Effect.tap((onDisk) => FileContent.textOf(place.printed, onDisk)),
    Effect.flatMap((onDisk) => orOnDisk(place, onDisk)),
    Effect.filterOrFail(
      (bytes) => FileContent.hash(bytes) === expected,
      () => refuse(place.printed, "changed")
    )
  )

/** Does what `FileReplacement.replaceFile` does, through the editor if it writes files. */
export const replace = Effect.fn("EditedFiles.replace")(function* (
  workspace: Workspace,
  place: Place,
  content: Uint8Array,
  expected: Option.Option<string> = Option.none()
) {
  const write = yield* offered("write")
  if (Option.isNone(write)) return yield* FileReplacement.replaceFile(workspace, place, content, expected)
  const found = yield* FileReplacement.prepare(workspace, place, content, expected)
  if (Option.isSome(expected)) yield* checkUnchanged(workspace, place, expected.value)
  yield* write.value(place, yield* FileContent.textOf(place.printed, content))
  return found
})
