/** `Folders` by Node. */
import { SystemError } from "@effect/platform/Error"
import { Effect, Layer } from "effect"
import { open, rmdir } from "node:fs/promises"
import { Folders } from "../../services/Folders.js"
import { codeOf } from "../ErrorCode.js"

const attempt = (method: string, path: string, run: () => Promise<void>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new SystemError({
        module: "FileSystem",
        method,
        reason: codeOf(cause) === "ENOENT" ? "NotFound" : "Unknown",
        pathOrDescriptor: path,
        description: cause instanceof Error ? cause.message : method,
        cause
      })
  })

const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** POSIX allows both ENOTEMPTY and EEXIST for a folder that has entries. */
const stays = new Set(["ENOENT", "ENOTEMPTY", "EEXIST"])

const removeEmpty = async (path: string): Promise<void> => {
  try {
    await rmdir(path)
  } catch (cause) {
    if (!stays.has(codeOf(cause))) throw cause
  }
}

export const layer: Layer.Layer<Folders> = Layer.succeed(Folders, {
  sync: (path) => (process.platform === "win32" ? Effect.void : attempt("sync", path, () => syncFolder(path))),
  removeEmpty: (path) => attempt("remove", path, () => removeEmpty(path))
})
