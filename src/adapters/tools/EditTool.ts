/**
 * `edit`: replaces a text in a file. Nothing is changed unless the text occurs exactly once, or at least once when all
 * are to be replaced, and the file still has the content that was checked. Overlapping occurrences count separately;
 * `all` skips those that overlap a replaced one, and the result says how many are left.
 *
 * Texts are compared character by character, except for line ends: each kind matches the other, and the new text gets
 * the file's own, because `read` shows lines and models write line feeds.
 * People see the file before and after, unless it is large.
 */
import { Effect, Option, Schema } from "effect"
import * as Tool from "../../services/Tool.js"
import * as EditedFiles from "./EditedFiles.js"
import * as FileContent from "./FileContent.js"
import * as FileDiff from "./FileDiff.js"
import { NothingToChange, TextNotFound, refuse } from "./FileErrors.js"
import { keyOf } from "./FileKey.js"
import * as FileReplacement from "./FileReplacement.js"
import * as LineEnds from "./LineEnds.js"
import * as PathText from "./PathText.js"
import * as TextReplacement from "./TextReplacement.js"
import * as Files from "./WorkspaceFiles.js"

export const edit = Tool.make("edit", {
  description:
    "Replaces oldText with newText in a text file. oldText must match the file exactly, including white space, and " +
    "occur once; with all, every occurrence is replaced. The file keeps its line endings.",
  kind: "edit",
  input: {
    path: PathText.input("Path of the file, relative to the workspace"),
    oldText: Schema.String.pipe(Schema.minLength(1)).annotations({ description: "The text to replace" }),
    newText: Schema.String.annotations({ description: "The text that replaces it" }),
    all: Schema.optionalWith(Schema.Boolean.annotations({ description: "Replace every occurrence" }), {
      default: () => false
    })
  }
}).handle(
  Effect.fn("tools.edit")(function* ({ all, newText, oldText, path }) {
    const workspace = yield* Files.current
    const place = yield* Files.locate(workspace, path)
    const before = yield* Files.openPlace(workspace, place).pipe(
      Effect.flatMap(Files.asFile),
      Effect.flatMap((file) => EditedFiles.readWhole(file, place)),
      Effect.scoped
    )
    yield* FileContent.textOf(place.printed, before)
    const file = LineEnds.plain(before)
    const oldBytes = LineEnds.plain(yield* FileContent.bytesOf(place.printed, oldText))
    const given = yield* FileContent.bytesOf(place.printed, newText)
    const newBytes = file.ends === "none" ? LineEnds.verbatim(given) : LineEnds.plain(given)
    if (Buffer.compare(oldBytes.bytes, newBytes.bytes) === 0) return yield* new NothingToChange({ path: place.printed })
    const replacement = { file, oldText: oldBytes, newText: newBytes }
    const found = yield* TextReplacement.survey(replacement, all ? FileReplacement.maxBytes : Infinity)
    if (found.matches === 0 || (found.matches > 1 && !all)) {
      return yield* new TextNotFound({ path: place.printed, occurrences: found.matches })
    }
    if (found.size > FileReplacement.maxBytes) return yield* refuse(place.printed, "too-large")
    const after = yield* TextReplacement.replace(replacement, before, found.size)
    yield* EditedFiles.replace(workspace, place, after, Option.some(FileContent.hash(before)))
    const left = found.matches - found.replaceable
    const rest = left === 0 ? "" : `; ${left} more that overlap these were not replaced`
    const where =
      found.replaceable === 1 ? `line ${found.line}` : `${found.replaceable} places, first at line ${found.line}`
    return Tool.result({
      text: `Edited ${place.printed} at ${where}${rest}`,
      diffs: yield* FileDiff.of(place.relative, before, after)
    })
  }),
  {
    key: ({ path }) => keyOf(path),
    title: ({ path }) => `Edit ${PathText.print(path)}`,
    locations: ({ path }) => [{ path }]
  }
)
