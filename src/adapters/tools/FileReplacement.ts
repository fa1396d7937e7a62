/**
 * The only way in which tools change a file of the workspace.
 *
 * Guaranteed:
 * - a reader sees the old content or the new one, never a part; a change that succeeded survives a power failure;
 * - mode and owner stay, except for set-user-id and set-group-id, which are dropped;
 * - a file that has other names, is not regular, or is not writable is left alone;
 * - when `expected` is given and the content differs, nothing is changed;
 * - a change that fails or is interrupted leaves no temp file.
 *
 * How: a temp file in the same folder is written, synced and renamed over the file, then the folder is synced. Nothing
 * is truncated. Nothing is created until its folder has been opened and found to be in the workspace.
 *
 * Not guaranteed: another program that writes between the last check of the content and the rename loses what it wrote;
 * calls of this process do not. ACLs and extended attributes are not kept. Missing folders that were created for a
 * write stay when it then fails. A process that is killed may leave `.skein-<id>.tmp` behind.
 */
import { Effect, Option } from "effect"
import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { access, mkdir, rename, unlink } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { basename, dirname } from "node:path"
import * as OneByOne from "../../services/OneByOne.js"
import { hash, readWhole } from "./FileContent.js"
import { refuse } from "./FileErrors.js"
import type { FileRefused } from "./FileErrors.js"
import * as Files from "./WorkspaceFiles.js"
import type { OpenFile, OpenFolder, Place, Workspace } from "./WorkspaceFiles.js"

/** The most bytes of a file that tools read or write whole. */
export const maxBytes = 10 * 1024 * 1024

const commit = OneByOne.make()

/** Whether a name is that of a temp file that is being written. */
export const isTemporary = (name: string): boolean => name.startsWith(".skein-") && name.endsWith(".tmp")

const orWhenAbsent =
  <B>(absent: () => B) =>
  <A, R>(effect: Effect.Effect<A, FileRefused, R>) =>
    Effect.catchIf(
      effect,
      ({ reason }) => reason === "not-found",
      () => Effect.sync(absent)
    )

/** The nearest existing folder above the file, with links resolved, and the folders that are missing below it. */
const nearestFolder = (
  workspace: Workspace,
  place: { readonly absolute: string; readonly printed: string }
): Effect.Effect<{ readonly real: string; readonly missing: ReadonlyArray<string> }, FileRefused> => {
  const parent = dirname(place.absolute)
  const above =
    parent === place.absolute
      ? Effect.fail(refuse(place.printed, "not-found"))
      : Effect.suspend(() => nearestFolder(workspace, { ...place, absolute: parent }))
  return Files.realPath(workspace, place).pipe(
    Effect.map((real) => ({ real, missing: Array.of<string>() })),
    Effect.catchIf(
      ({ reason }) => reason === "not-found",
      () => Effect.map(above, ({ real, missing }) => ({ real, missing: [...missing, basename(place.absolute)] }))
    )
  )
}

// Windows renames durably by itself and syncs no folder.
const syncFolder = (folder: OpenFolder, printed: string) =>
  Files.platform === "win32" ? Effect.void : Files.attempt(printed, () => folder.handle.sync())

const makeFolder = (workspace: Workspace, folder: OpenFolder, name: string) => {
  const { printed } = Files.placeOf(folder, name)
  return Files.attempt(printed, () => mkdir(`${folder.at}/${name}`)).pipe(
    Effect.catchIf(
      ({ code }) => code === "EEXIST",
      () => Effect.void
    ),
    Effect.zipRight(Files.openChild(workspace, folder, name)),
    Effect.flatMap(Files.asFolder)
  )
}

/** The folder that the file is or will be in, opened, and the file's name there. */
const openParent = Effect.fnUntraced(function* (workspace: Workspace, place: Place, makeFolders: boolean) {
  const target = yield* Files.realPath(workspace, place).pipe(
    Effect.map((real) => ({ absolute: real, printed: place.printed })),
    orWhenAbsent(() => place)
  )
  const { missing, real } = yield* nearestFolder(workspace, { ...target, absolute: dirname(target.absolute) })
  if (missing.length > 0 && !makeFolders) return yield* refuse(place.printed, "changed")
  const start = { ...(yield* Files.locate(workspace, real)), printed: place.printed }
  let folder = yield* Effect.flatMap(Files.openPlace(workspace, start), Files.asFolder)
  for (const name of missing) {
    const made = yield* makeFolder(workspace, folder, name)
    yield* syncFolder(folder, place.printed)
    folder = made
  }
  return { folder, name: basename(target.absolute) }
})

const openExisting = Effect.fnUntraced(function* (workspace: Workspace, folder: OpenFolder, name: string) {
  const file = yield* Effect.flatMap(Files.openChild(workspace, folder, name), Files.asFile)
  if (file.stats.nlink > 1n) return yield* refuse(file.printed, "hard-linked")
  yield* Files.attempt(file.printed, () => access(`${folder.at}/${name}`, constants.W_OK))
  return file
})

/** Without set-user-id and set-group-id: a program with other rights must not keep them when its content changes. */
const keptMode = 0o1777n

const keepOwnerAndMode = (printed: string, handle: FileHandle, { stats }: OpenFile) =>
  Files.attempt(printed, async () => {
    const made = await handle.stat({ bigint: true })
    if (made.uid !== stats.uid || made.gid !== stats.gid) await handle.chown(Number(stats.uid), Number(stats.gid))
    await handle.chmod(Number(stats.mode & keptMode))
  })

/** Writes and syncs a temp file next to the one that it will replace. Gone with the scope unless renamed. */
const writeTemporary = Effect.fnUntraced(function* (
  workspace: Workspace,
  folder: OpenFolder,
  printed: string,
  content: Uint8Array,
  existing: Option.Option<OpenFile>
) {
  const path = `${folder.at}/.skein-${randomUUID()}.tmp`
  yield* Effect.addFinalizer(() => Effect.ignore(Files.attempt(printed, () => unlink(path))))
  const handle = yield* Files.createFile(printed, path, Option.isSome(existing) ? 0o600 : 0o666)
  const stats = yield* Files.attempt(printed, () => handle.stat({ bigint: true }))
  yield* Files.whereIs(workspace, { handle, stats, path }, printed)
  yield* Files.attemptLong(printed, (signal) => handle.writeFile(content, { signal }))
  if (Option.isSome(existing)) yield* keepOwnerAndMode(printed, handle, existing.value)
  yield* Files.attempt(printed, () => handle.sync())
  return path
})

const checkUnchanged = (workspace: Workspace, folder: OpenFolder, name: string, expected: string) =>
  openExisting(workspace, folder, name).pipe(
    Effect.flatMap((file) => readWhole(file, maxBytes)),
    Effect.scoped,
    Effect.map((bytes) => hash(bytes) === expected),
    orWhenAbsent(() => false),
    Effect.filterOrFail(
      (isSame) => isSame,
      () => refuse(Files.placeOf(folder, name).printed, "changed")
    )
  )

const putInPlace = (folder: OpenFolder, temporary: string, name: string, printed: string) =>
  Effect.zipRight(
    Files.attempt(printed, () => rename(temporary, `${folder.at}/${name}`)),
    syncFolder(folder, printed)
  )

/** Opens the folder of the file to replace, and the file if it exists. Fails when either cannot be used. */
const openTarget = Effect.fnUntraced(function* (
  workspace: Workspace,
  place: Place,
  content: Uint8Array,
  expected: Option.Option<string>
) {
  if (content.length > maxBytes) return yield* refuse(place.printed, "too-large")
  const { folder, name } = yield* openParent(workspace, place, Option.isNone(expected))
  const existing = yield* openExisting(workspace, folder, name).pipe(
    Effect.map(Option.some),
    orWhenAbsent(() => Option.none<OpenFile>())
  )
  return { folder, name, existing }
})

/**
 * Writes this content to the file at a place. Creates the file and the folders above it when it is missing and nothing
 * is expected. `expected` is the hash (`FileContent.hash`) of the content to replace. Returns whether the file is new.
 * Through a link, the file that it points at is changed if that is in the workspace.
 *
 * Fails with `FileRefused`: `changed` when the content is not the expected one, `hard-linked`, `not-a-file`, `link`,
 * `outside`, `no-access`, `no-space`, or another error of the system. When only the sync of the folder fails, the new
 * content is already in place.
 */
export const replaceFile = Effect.fn("FileReplacement.replaceFile")(function* (
  workspace: Workspace,
  place: Place,
  content: Uint8Array,
  expected: Option.Option<string> = Option.none()
) {
  const { existing, folder, name } = yield* openTarget(workspace, place, content, expected)
  const temporary = yield* writeTemporary(workspace, folder, place.printed, content, existing)
  yield* commit(
    Effect.gen(function* () {
      if (Option.isSome(expected)) yield* checkUnchanged(workspace, folder, name, expected.value)
      yield* Files.whereIs(workspace, { ...folder, path: folder.real }, place.printed)
      yield* Effect.uninterruptible(putInPlace(folder, temporary, name, place.printed))
    })
  )
  return { isNew: Option.isNone(existing) }
}, Effect.scoped)

/** Does everything that `replaceFile` does before it writes the content, for a caller that writes it another way. */
export const prepare = (workspace: Workspace, place: Place, content: Uint8Array, expected: Option.Option<string>) =>
  openTarget(workspace, place, content, expected).pipe(
    Effect.map(({ existing }) => ({ isNew: Option.isNone(existing) })),
    Effect.scoped
  )
