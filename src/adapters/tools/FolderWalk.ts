/**
 * The files below a folder of the workspace, folder by folder in code unit order. Links are not followed, so a walk
 * ends. It stops as soon as its reader does, and holds one handle per level.
 *
 * `onSkipped` reports folders that cannot be read, lie deeper than 64 levels, or hold more than 100,000 entries, of
 * which the first ones that the system lists are taken.
 */
import { Effect, Stream } from "effect"
import type { Hides } from "../../domain/Permission.js"
import type { FileRefused } from "./FileErrors.js"
import * as FolderEntries from "./FolderEntries.js"
import { isTemporary } from "./FileReplacement.js"
import * as Files from "./WorkspaceFiles.js"
import type { OpenFolder, Workspace } from "./WorkspaceFiles.js"

const maxDepth = 64
const maxEntries = 100_000
const groupSize = 100

/** Names of folders that are left out unless they are asked for. */
const usuallySkipped: ReadonlyArray<string> = [".git", "node_modules"]

/** Some of the regular files and links that one folder holds. */
export interface FolderFiles {
  readonly folder: OpenFolder
  /** The prefix that turns a name into its path from the start of the walk. */
  readonly prefix: string
  readonly files: ReadonlyArray<FolderEntries.Entry>
}

export interface Options {
  /** A path or pattern; the folders that it names are not left out. */
  readonly asked: string
  readonly onSkipped: Effect.Effect<void>
  /** Which files and folders are left out because the policy hides them, and what to do with the number of them. */
  readonly hides: Hides
  readonly onHidden: (entries: number) => Effect.Effect<void>
}

/** Which folders a walk leaves out. */
const skippedUnless = (asked: string): ReadonlyArray<string> => {
  const named = asked.split(/[/{},()|]/)
  return usuallySkipped.filter((name) => !named.includes(name))
}

/** The folder's files, then those of the folders in it. Emits nothing for a folder without files. */
export const filesBelow = (
  workspace: Workspace,
  start: OpenFolder,
  { asked, hides, onHidden, onSkipped }: Options
): Stream.Stream<FolderFiles, FileRefused> => {
  const skipped = skippedUnless(asked)

  const below = (folder: OpenFolder, prefix: string, depth: number): Stream.Stream<FolderFiles, FileRefused> =>
    Effect.gen(function* () {
      const { entries, isComplete } = yield* FolderEntries.read(folder, maxEntries)
      const files: Array<FolderEntries.Entry> = []
      const folders: Array<FolderEntries.Entry> = []
      let isUnreadable = false
      let hidden = 0
      const look = (entry: FolderEntries.Entry) => {
        const { kind, name } = entry
        if (kind === "unreadable") isUnreadable = true
        else if (kind === "folder" ? skipped.includes(name) : kind === "special" || isTemporary(name)) return
        else if (hides(Files.relativeOf(folder, name))) hidden++
        else (kind === "folder" ? folders : files).push(entry)
      }
      yield* FolderEntries.forEach(entries, look, hides.cost)
      if (hidden > 0) yield* onHidden(hidden)
      if (!isComplete || isUnreadable) yield* onSkipped
      // One group at a time, whatever is done with the groups: a reader that waits between them lets other fibers run.
      const here = Stream.fromIterable(FolderEntries.groupsOf(files, groupSize)).pipe(
        Stream.rechunk(1),
        Stream.map((some) => ({ folder, prefix, files: some }))
      )
      return Stream.concat(
        here,
        Stream.flatMap(Stream.fromIterable(folders), ({ name }) => enter(folder, name, `${prefix}${name}/`, depth + 1))
      )
    }).pipe(Stream.unwrap)

  const enter = (
    parent: OpenFolder,
    name: string,
    prefix: string,
    depth: number
  ): Stream.Stream<FolderFiles, FileRefused> => {
    const skip = Stream.unwrap(Effect.as(onSkipped, Stream.empty))
    if (depth > maxDepth) return skip
    return Files.openChild(workspace, parent, name).pipe(
      Effect.flatMap(Files.asFolder),
      Effect.map((folder) => below(folder, prefix, depth)),
      Stream.unwrapScoped,
      Stream.catchAll(() => skip)
    )
  }

  return below(start, "", 0)
}
