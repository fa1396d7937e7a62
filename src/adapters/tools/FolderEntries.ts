/** What an opened folder holds. Links are reported as links; nothing is opened. */
import { Effect } from "effect"
import type { Dirent } from "node:fs"
import { lstat, opendir } from "node:fs/promises"
import * as PathText from "./PathText.js"
import { attemptLong } from "./WorkspaceFiles.js"
import type { OpenFolder } from "./WorkspaceFiles.js"

export interface Entry {
  readonly name: string
  /** `unreadable` is a name that is not valid UTF-8, which no text can represent. */
  readonly kind: "file" | "folder" | "link" | "special" | "unreadable"
}

const kindOf = async (folder: OpenFolder, entry: Dirent): Promise<Entry["kind"]> => {
  if (entry.name.includes("\ufffd")) {
    const exists = await lstat(`${folder.at}/${entry.name}`).then(
      () => true,
      () => false
    )
    if (!exists) return "unreadable"
  }
  if (entry.isSymbolicLink()) return "link"
  if (entry.isDirectory()) return "folder"
  return entry.isFile() ? "file" : "special"
}

/** What a folder holds, by name in code unit order; `isComplete` is false when it holds more than `limit`. */
export const read = Effect.fn("FolderEntries.read")(function* (folder: OpenFolder, limit: number) {
  const found = yield* attemptLong(PathText.print(folder.relative), async (signal) => {
    const all: Array<Entry> = []
    for await (const entry of await opendir(folder.at, { bufferSize: 256 })) {
      if (signal.aborted || all.length > limit) break
      all.push({ name: entry.name, kind: await kindOf(folder, entry) })
    }
    return all
  })
  const kept = found.slice(0, limit)
  kept.sort((one, other) => (one.name < other.name ? -1 : 1))
  return { entries: kept, isComplete: found.length <= limit }
})
