/**
 * `write`: a whole file, new or in place of the old one. FileReplacement says how, and with what guarantees.
 *
 * A text file that is replaced keeps its byte order mark and its kind of line ends, and the result says so: `read`
 * shows neither, so a model cannot write them back. For a file larger than tools read whole, the beginning counts.
 */
import { Effect, Schema } from "effect"
import * as Tool from "../../services/Tool.js"
import * as EditedFiles from "./EditedFiles.js"
import * as FileContent from "./FileContent.js"
import * as FileDiff from "./FileDiff.js"
import { refuse } from "./FileErrors.js"
import { keyOf } from "./FileKey.js"
import * as FileReplacement from "./FileReplacement.js"
import * as LineEnds from "./LineEnds.js"
import * as PathText from "./PathText.js"
import * as Files from "./WorkspaceFiles.js"

/** The content at a place, as far as tools read it; empty when it cannot be read. */
const contentAt = (workspace: Files.Workspace, place: Files.Place) =>
  Files.openPlace(workspace, place).pipe(
    Effect.flatMap(Files.asFile),
    Effect.flatMap((file) => FileContent.readStart(file, FileReplacement.maxBytes)),
    Effect.scoped,
    Effect.flatMap((onDisk) => EditedFiles.orOnDisk(place, onDisk)),
    Effect.catchTag("FileRefused", () => Effect.succeed(new Uint8Array(0)))
  )

const keptNames = { lf: "LF line endings", crlf: "CRLF line endings" }

export const write = Tool.make("write", {
  description:
    "Writes a whole text file. Creates the file and the folders above it, or replaces the file's content and keeps its " +
    "line endings.",
  kind: "edit",
  input: {
    path: PathText.input("Path of the file, relative to the workspace"),
    content: Schema.String.annotations({ description: "The full content of the file" })
  }
}).handle(
  Effect.fn("tools.write")(function* ({ content, path }) {
    const workspace = yield* Files.current
    const place = yield* Files.locate(workspace, path)
    const given = yield* FileContent.bytesOf(place.printed, content)
    if (given.length > FileReplacement.maxBytes) return yield* refuse(place.printed, "too-large")
    const before = yield* contentAt(workspace, place)
    const { bytes, ends, isMarked } = LineEnds.fit(before, given)
    const { isNew } = yield* EditedFiles.replace(workspace, place, bytes)
    const kept = [...(isMarked ? ["byte order mark"] : []), ...(ends === null ? [] : [keptNames[ends]])]
    const note = kept.length === 0 ? "" : `, keeping its ${kept.join(" and ")}`
    return Tool.result({
      text: `${isNew ? "Created" : "Replaced"} ${place.printed} (${bytes.length} bytes${note})`,
      diffs: yield* FileDiff.of(place.relative, isNew ? null : before, bytes)
    })
  }),
  {
    key: ({ path }) => keyOf(path),
    title: ({ path }) => `Write ${PathText.print(path)}`,
    locations: ({ path }) => [{ path }]
  }
)
