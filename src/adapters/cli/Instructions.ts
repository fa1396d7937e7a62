/**
 * A folder's instructions for agents: its own `AGENTS.md` and those of the folders above it, up to the root of its
 * repository. The root is the nearest folder that has a `.git`: this one or one above. Without one, only the folder
 * itself is read.
 *
 * Bounded: `mostOfEach` bytes of each file, `mostOfAll` of all; when there is too much, the files nearest to the folder
 * come first. A link may lead to another place in the repository, and nowhere else. A file that cannot be read, or only
 * in part, is named with the reason.
 */
import { Array as Arr, Effect, Option } from "effect"
import { lstat, realpath } from "node:fs/promises"
import { join } from "node:path"
import * as WorkspacePath from "../../domain/WorkspacePath.js"
import * as FileContent from "../tools/FileContent.js"
import { refuse } from "../tools/FileErrors.js"
import * as Files from "../tools/WorkspaceFiles.js"
import * as Texts from "./texts/Instructions.js"

/** @internal */
export const mostOfEach = 32 * 1024
const mostOfAll = 64 * 1024
/** With less room than this, a file is left out. */
const leastRoom = 1024
const name = "AGENTS.md"

interface File {
  /** From the root of the repository. */
  readonly printed: string
  readonly path: string
  /** Null when it was left out. */
  readonly text: string | null
  /** Why it was left out, or cut; null when it is whole. */
  readonly note: string | null
}

/** From the outermost folder to the session's own. */
export type Instructions = ReadonlyArray<File>

const isThere = (path: string) => Effect.isSuccess(Effect.tryPromise(() => lstat(path)))

/** The root of the repository, and the folders from this one up to it; the outermost last. */
const foldersOf = Effect.fnUntraced(function* (folder: string) {
  const markers = yield* WorkspacePath.repositoryMarkers(Files.platform, folder)
  const existing = yield* Effect.filter(markers, isThere)
  const root = Option.getOrElse(
    yield* WorkspacePath.repositoryRoot(Files.platform, { start: folder, existing }),
    () => folder
  )
  const above = markers.map((marker) => join(marker, ".."))
  return { root, folders: Arr.isNonEmptyReadonlyArray(above) ? above.slice(0, above.indexOf(root) + 1) : [folder] }
})

/** The start of a text, without half a character at its end. */
const startOf = (bytes: Uint8Array, most: number): string =>
  new TextDecoder().decode(bytes.subarray(0, most), { stream: bytes.length > most })

const readFile = Effect.fnUntraced(
  function* (workspace: Files.Workspace, place: Files.Place, room: number) {
    const file = yield* Effect.flatMap(Files.openPlace(workspace, place), Files.asFile)
    if (room < leastRoom) return { text: null, note: Texts.noRoom(mostOfAll) }
    const most = Math.min(mostOfEach, room)
    const bytes = yield* FileContent.readStart(file, most)
    if (bytes.includes(0)) return yield* refuse(place.printed, "binary")
    return { text: startOf(bytes, most), note: bytes.length > most ? Texts.cut(most) : null }
  },
  Effect.scoped,
  Effect.catchTag("FileRefused", (refused) =>
    Effect.succeed(refused.reason === "not-found" ? null : { text: null, note: Texts.leftOut(refused.why) })
  )
)

/** Reads the instructions for a folder. A missing folder has no instructions. */
export const read = Effect.fn("Instructions.read")(
  function* (workdir: string) {
    const { folders, root } = yield* foldersOf(yield* Effect.tryPromise(() => realpath(workdir)))
    const workspace = yield* Files.open(root)
    let room = mostOfAll
    const found: Array<File> = []
    for (const folder of folders) {
      const place = yield* Files.locate(workspace, join(folder, name))
      const file = yield* readFile(workspace, place, room)
      if (file === null || file.text?.trim() === "") continue
      room -= Buffer.byteLength(file.text ?? "")
      found.unshift({ ...file, path: place.absolute, printed: place.printed })
    }
    return found
  },
  Effect.orElseSucceed((): Instructions => [])
)

/** The system prompt with the instructions after it. */
export const withPrompt = (prompt: string, instructions: Instructions): string => {
  const texts = instructions.flatMap((file) => (file.text === null ? [] : [Texts.block({ ...file, text: file.text })]))
  return texts.length === 0 ? prompt : [prompt, Texts.introduction, ...texts].join("\n\n")
}

/** The paths of the files that are in the prompt. */
export const paths = (instructions: Instructions): ReadonlyArray<string> =>
  instructions.flatMap(({ path, text }) => (text === null ? [] : [path]))
