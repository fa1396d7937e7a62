/**
 * `list`: the entries of one folder. Links are named, not followed; the result is bounded and says when it is
 * incomplete.
 */
import { Effect, Schema } from "effect"
import * as Tool from "../../services/Tool.js"
import * as Findings from "./Findings.js"
import * as FolderEntries from "./FolderEntries.js"
import * as PathText from "./PathText.js"
import * as Files from "./WorkspaceFiles.js"

const maxEntries = 1000

const marks: Record<FolderEntries.Entry["kind"], string> = {
  file: "",
  folder: "/",
  link: " (link)",
  special: " (not a regular file)",
  unreadable: " (name is not valid UTF-8, cannot be used)"
}

export const list = Tool.make("list", {
  description: `Lists a folder: paths relative to the workspace, folders with a / at the end, at most ${maxEntries}.`,
  access: "read",
  kind: "read",
  input: {
    path: Schema.optionalWith(PathText.input("Folder to list, relative to the workspace; the workspace by default"), {
      default: () => "."
    })
  }
}).handle(
  Effect.fn("tools.list")(function* ({ path }) {
    const workspace = yield* Files.current
    const place = yield* Files.locate(workspace, path)
    const folder = yield* Effect.flatMap(Files.openPlace(workspace, place), Files.asFolder)
    const { entries, isComplete } = yield* FolderEntries.read(folder, maxEntries)
    const hides = yield* Files.hides
    const shown: Array<FolderEntries.Entry> = []
    const look = (entry: FolderEntries.Entry) => void (hides(Files.relativeOf(folder, entry.name)) || shown.push(entry))
    yield* FolderEntries.forEach(entries, look, hides.cost)
    const lines = shown.map(({ kind, name }) => Files.placeOf(folder, name).printed + marks[kind])
    if (entries.length === 0) return "[the folder is empty]"
    const more = isComplete ? [] : [`[there are more than ${maxEntries}; use glob]`]
    return [...lines, ...more, ...Findings.hiddenNote(entries.length - shown.length)].join("\n")
  }, Effect.scoped),
  { title: ({ path }) => `List ${PathText.print(path)}`, locations: ({ path }) => [{ path }] }
)
