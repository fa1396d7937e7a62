/** The entries of an opened folder. Links are reported as links; nothing is opened. */
import { Array as Arr, Effect } from "effect"
import type { Dirent } from "node:fs"
import { lstat, opendir } from "node:fs/promises"
import * as EventLoop from "../EventLoop.js"
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

/** Groups of `size` entries. `Array.chunksOf` copies the rest for each group, which is too much for a large folder. */
export const groupsOf = (entries: ReadonlyArray<Entry>, size: number): ReadonlyArray<Array<Entry>> =>
  Array.from({ length: Math.ceil(entries.length / size) }, (_, group) =>
    entries.slice(group * size, (group + 1) * size)
  )

/** Entries that are sorted or visited in one turn of the event loop. */
const atOnce = 4_096

/**
 * Calls `look` with each entry, with a turn of the event loop between groups of them. The more a look costs, the smaller
 * they are: 1 stands for next to nothing.
 */
export const forEach = (
  entries: ReadonlyArray<Entry>,
  look: (entry: Entry) => void,
  cost: number = 1
): Effect.Effect<void> =>
  Effect.forEach(
    groupsOf(entries, Math.max(1, Math.floor(atOnce / Math.max(1, cost)))),
    (some, group) =>
      Effect.zipRight(
        group > 0 ? EventLoop.turn : Effect.void,
        Effect.sync(() => some.forEach(look))
      ),
    { discard: true }
  )

/** Sorts by name in code unit order: group by group, and then merges the groups in pairs. */
const sorted = Effect.fnUntraced(function* (entries: ReadonlyArray<Entry>) {
  let runs: ReadonlyArray<ReadonlyArray<Entry>> = yield* Effect.forEach(groupsOf(entries, atOnce), (some) =>
    Effect.zipRight(
      entries.length > atOnce ? EventLoop.turn : Effect.void,
      Effect.sync(() => some.sort((one, other) => (one.name < other.name ? -1 : 1)))
    )
  )
  while (runs.length > 1) {
    runs = yield* Effect.forEach(Arr.chunksOf(runs, 2), ([one, other = []]) =>
      Effect.zipRight(EventLoop.turn, merged(one, other))
    )
  }
  return runs[0] ?? []
})

const merged = (some: ReadonlyArray<Entry>, others: ReadonlyArray<Entry>): Effect.Effect<ReadonlyArray<Entry>> =>
  Effect.suspend(() => {
    const all: Array<Entry> = []
    let next = 0
    const add = (one: Entry): void => {
      for (let other = others[next]; other !== undefined && other.name < one.name; other = others[++next]) {
        all.push(other)
      }
      all.push(one)
    }
    return Effect.map(forEach(some, add), () => {
      for (const other of others.slice(next)) all.push(other)
      return all
    })
  })

/** The entries of a folder, by name in code unit order; `isComplete` is false when it has more than `limit`. */
export const read = Effect.fn("FolderEntries.read")(function* (folder: OpenFolder, limit: number) {
  const found = yield* attemptLong(PathText.print(folder.relative), async (signal) => {
    const all: Array<Entry> = []
    for await (const entry of await opendir(folder.at, { bufferSize: 256 })) {
      if (signal.aborted || all.length > limit) break
      all.push({ name: entry.name, kind: await kindOf(folder, entry) })
    }
    return all
  })
  return { entries: yield* sorted(found.slice(0, limit)), isComplete: found.length <= limit }
})
