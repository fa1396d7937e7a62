/** `write`: a whole file, new or in place of the old one. How, and what is promised, is in FileReplacement. */
import { Effect, Schema } from "effect"
import * as Tool from "../../services/Tool.js"
import * as FileContent from "./FileContent.js"
import { keyOf } from "./FileKey.js"
import * as FileReplacement from "./FileReplacement.js"
import * as Files from "./WorkspaceFiles.js"

export const write = Tool.make("write", {
  description: "Writes a text file whole. Makes the file and the folders above it, or replaces what the file held.",
  input: {
    path: Schema.String.annotations({ description: "Path of the file, from the workspace" }),
    content: Schema.String.annotations({ description: "All that the file is to hold" })
  }
}).handle(
  Effect.fn("tools.write")(function* ({ content, path }) {
    const workspace = yield* Files.current
    const place = yield* Files.locate(workspace, path)
    const bytes = yield* FileContent.bytesOf(place.printed, content)
    const { isNew } = yield* FileReplacement.replaceFile(workspace, place, bytes)
    return `${isNew ? "Created" : "Replaced"} ${place.printed} (${bytes.length} bytes)`
  }),
  { key: ({ path }) => keyOf(path) }
)
