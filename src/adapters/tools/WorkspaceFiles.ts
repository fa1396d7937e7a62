/**
 * Files and folders of a workspace, opened so that nothing outside of it is read, wherever its links point and
 * however they change meanwhile.
 *
 * A path is judged by its text, then with its links resolved, then opened without following a link or waiting for a
 * pipe, and then the system is asked what was opened. Only then is anything read. Folders are entered from the opened
 * folder, not by name. Links to places inside the workspace are followed.
 *
 * Not guaranteed where there is no /proc/self/fd (macOS, Windows): there the system can only say what a name stands
 * for, so another program on the same machine that swaps a folder for a link and back at the right moments can have a
 * file outside read, created or replaced. Windows has no flag against links, and its own kinds of link were not tested.
 * Mounts and hard links are part of the workspace for reading; the kernel's own file systems are not.
 */
import { Effect, Either } from "effect"
import type { Scope } from "effect"
import { constants, existsSync } from "node:fs"
import type { BigIntStats } from "node:fs"
import { lstat, open as openHandle, readlink, realpath, stat, statfs } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import type { Hides } from "../../domain/Permission.js"
import * as WorkspacePath from "../../domain/WorkspacePath.js"
import { Call } from "../../services/Tool.js"
import { refusalOf, refuse } from "./FileErrors.js"
import type { FileRefused } from "./FileErrors.js"
import * as PathText from "./PathText.js"

export const platform: WorkspacePath.Platform = process.platform === "win32" ? "win32" : "posix"

export interface Workspace {
  /** The folder as the session names it. */
  readonly workdir: string
  /** The same folder with all links resolved. */
  readonly root: string
  readonly device: bigint
  /** Whether an opened folder can be used through its descriptor. */
  readonly hasDescriptorPaths: boolean
}

/** A path that lies in the workspace, judged by its text. */
export interface Place {
  readonly absolute: string
  /** From the workspace down. */
  readonly relative: string
  /** For results and errors. */
  readonly printed: string
}

export interface OpenFile {
  readonly _tag: "File"
  readonly printed: string
  readonly handle: FileHandle
  readonly stats: BigIntStats
}

export interface OpenFolder {
  readonly _tag: "Folder"
  readonly relative: string
  readonly handle: FileHandle
  readonly stats: BigIntStats
  /** Absolute, without links. */
  readonly real: string
  /** The path to put before the name of an entry. */
  readonly at: string
}

const failure = (printed: string) => (cause: unknown) => refusalOf(printed, cause)

/**
 * One short call of node:fs. When interrupted, it still waits for the call to end: a path through a descriptor must not
 * be used after the descriptor was closed, because by then it may stand for another folder.
 */
export const attempt = <A>(printed: string, run: () => Promise<A>): Effect.Effect<A, FileRefused> =>
  Effect.uninterruptible(Effect.tryPromise({ try: run, catch: failure(printed) }))

/** Calls of node:fs that change nothing by a path and may take long. They stop some time after the signal. */
export const attemptLong = <A>(
  printed: string,
  run: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, FileRefused> => Effect.tryPromise({ try: run, catch: failure(printed) })

/** The workspace at an absolute path. Fails when no folder is there. */
export const open = Effect.fn("WorkspaceFiles.open")(function* (
  workdir: string,
  hasDescriptorPaths: boolean = process.platform === "linux" && existsSync("/proc/self/fd")
) {
  const root = yield* attempt(".", () => realpath(workdir))
  const stats = yield* attempt(".", () => stat(root, { bigint: true }))
  if (!stats.isDirectory()) return yield* refuse(".", "not-a-folder")
  return { workdir, root, device: stats.dev, hasDescriptorPaths } satisfies Workspace
})

/** The workspace of the call that a tool runs for. */
export const current: Effect.Effect<Workspace, FileRefused, Call> = Effect.flatMap(Call, ({ workdir }) =>
  workdir === null ? Effect.fail(refuse(".", "no-workspace")) : open(workdir)
)

/** What the call that a tool runs for must leave out. */
export const hides: Effect.Effect<Hides, never, Call> = Effect.map(Call, ({ hides }) => hides ?? (() => false))

/** Locates a path by its text alone. It may start with either name of the workspace. */
export const locate = (workspace: Workspace, path: string): Either.Either<Place, WorkspacePath.PathRefused> => {
  const from = (base: string) =>
    Either.gen(function* () {
      const input = { workspace: base, path }
      const absolute = yield* WorkspacePath.resolveInside(platform, input)
      const relative = yield* WorkspacePath.relativeInside(platform, input)
      return { absolute, relative, printed: PathText.print(relative) }
    })
  return Either.orElse(from(workspace.workdir), (refused) => Either.mapLeft(from(workspace.root), () => refused))
}

/** The path from the workspace down of an entry of a folder. */
export const relativeOf = (folder: OpenFolder, name: string): string =>
  folder.relative === "." ? name : `${folder.relative}/${name}`

/** A place below a folder of the workspace. */
export const placeOf = (folder: OpenFolder, name: string): { readonly relative: string; readonly printed: string } => {
  const relative = relativeOf(folder, name)
  return { relative, printed: PathText.print(relative) }
}

const isInside = (workspace: Workspace, path: string): boolean =>
  Either.getOrElse(WorkspacePath.isInside(platform, { workspace: workspace.root, path }), () => false)

const resolveLinks = async (workspace: Workspace, path: string, printed: string): Promise<string> => {
  const real = await realpath(path)
  if (!isInside(workspace, real)) throw refuse(printed, "outside")
  return real
}

/** The path with all links resolved. Fails when nothing is there or it is outside. */
export const realPath = (
  workspace: Workspace,
  { absolute, printed }: { readonly absolute: string; readonly printed: string }
): Effect.Effect<string, FileRefused> => attempt(printed, () => resolveLinks(workspace, absolute, printed))

interface OpenHandle {
  readonly handle: FileHandle
  readonly stats: BigIntStats
  /** The path by which it was opened. */
  readonly path: string
}

const askWhere = async (
  workspace: Workspace,
  { handle, path, stats }: OpenHandle,
  printed: string
): Promise<string> => {
  if (workspace.hasDescriptorPaths) {
    const real = await readlink(`/proc/self/fd/${handle.fd}`)
    if (!isInside(workspace, real)) throw refuse(printed, "outside")
    return real
  }
  const real = await resolveLinks(workspace, path, printed)
  const there = await lstat(real, { bigint: true })
  if (there.ino !== stats.ino || there.dev !== stats.dev) throw refuse(printed, "outside")
  return real
}

/** Asks the system where an opened file or folder is. Fails when it is not in the workspace. */
export const whereIs = (
  workspace: Workspace,
  opened: OpenHandle,
  printed: string
): Effect.Effect<string, FileRefused> => attempt(printed, () => askWhere(workspace, opened, printed))

const kernelFileSystems: ReadonlySet<number> = new Set([0x9fa0, 0x62656572, 0x64626720, 0x74726163])

const isKernelFile = async (workspace: Workspace, { handle, stats }: OpenHandle): Promise<boolean> => {
  if (stats.dev === workspace.device || !workspace.hasDescriptorPaths) return false
  const { type } = await statfs(`/proc/self/fd/${handle.fd}`)
  return kernelFileSystems.has(type)
}

/** Node has only those flags that the platform knows; a missing one counts as 0. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

interface Candidate {
  readonly path: string
  readonly relative: string
  readonly printed: string
}

const judge = async (
  workspace: Workspace,
  candidate: Candidate,
  handle: FileHandle
): Promise<OpenFile | OpenFolder> => {
  const { path, printed, relative } = candidate
  const stats = await handle.stat({ bigint: true })
  const real = await askWhere(workspace, { handle, stats, path }, printed)
  if (await isKernelFile(workspace, { handle, stats, path })) throw refuse(printed, "pseudo")
  if (stats.isFile()) return { _tag: "File", printed, handle, stats }
  if (!stats.isDirectory()) throw refuse(printed, "not-a-file")
  const at = workspace.hasDescriptorPaths ? `/proc/self/fd/${handle.fd}` : real
  return { _tag: "Folder", relative, handle, stats, real, at }
}

const openJudged = async (workspace: Workspace, candidate: Candidate): Promise<OpenFile | OpenFolder> => {
  const handle = await openHandle(candidate.path, readFlags)
  try {
    return await judge(workspace, candidate, handle)
  } catch (cause) {
    await handle.close()
    throw cause
  }
}

const closeQuietly = (printed: string, handle: FileHandle) => Effect.ignore(attempt(printed, () => handle.close()))

const openAt = (
  workspace: Workspace,
  candidate: Candidate
): Effect.Effect<OpenFile | OpenFolder, FileRefused, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(candidate.printed, () => openJudged(workspace, candidate)),
    ({ handle }) => closeQuietly(candidate.printed, handle)
  )

/** Creates a file that must not exist yet, open for writing until the scope ends. */
export const createFile = (
  printed: string,
  path: string,
  mode: number
): Effect.Effect<FileHandle, FileRefused, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(printed, () =>
      openHandle(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode)
    ),
    (handle) => closeQuietly(printed, handle)
  )

/** Opens the regular file or folder at a place for reading. */
export const openPlace = Effect.fn("WorkspaceFiles.openPlace")(function* (workspace: Workspace, place: Place) {
  const path = yield* realPath(workspace, place)
  const before = yield* attempt(place.printed, () => lstat(path))
  if (!before.isFile() && !before.isDirectory()) return yield* refuse(place.printed, "not-a-file")
  return yield* openAt(workspace, { ...place, path })
})

const childOf = (folder: OpenFolder, name: string): Candidate => ({
  ...placeOf(folder, name),
  path: `${folder.at}/${name}`
})

/** Opens the file or folder with this name in an opened folder, without following a link. */
export const openChild = (
  workspace: Workspace,
  folder: OpenFolder,
  name: string
): Effect.Effect<OpenFile | OpenFolder, FileRefused, Scope.Scope> => openAt(workspace, childOf(folder, name))

/** Opens like `openChild`, uses the result and closes it; for many at the same time. Rejects with `FileRefused`. */
export const useChild = async <A>(
  workspace: Workspace,
  folder: OpenFolder,
  name: string,
  use: (opened: OpenFile | OpenFolder) => Promise<A>
): Promise<A> => {
  const opened = await openJudged(workspace, childOf(folder, name))
  try {
    return await use(opened)
  } finally {
    await opened.handle.close()
  }
}

/** Returns what was opened if it is a file, and fails otherwise. */
export const asFile = (opened: OpenFile | OpenFolder): Effect.Effect<OpenFile, FileRefused> =>
  opened._tag === "File" ? Effect.succeed(opened) : Effect.fail(refuse(PathText.print(opened.relative), "not-a-file"))

/** Returns what was opened if it is a folder, and fails otherwise. */
export const asFolder = (opened: OpenFile | OpenFolder): Effect.Effect<OpenFolder, FileRefused> =>
  opened._tag === "Folder" ? Effect.succeed(opened) : Effect.fail(refuse(opened.printed, "not-a-folder"))
