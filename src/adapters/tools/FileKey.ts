/** The key by which calls on one file are put in order. */
import { Either } from "effect"
import * as WorkspacePath from "../../domain/WorkspacePath.js"
import { platform } from "./WorkspaceFiles.js"

/**
 * The key of calls on a file. A handler's key is made from its input alone, without the workspace, so it is the file's
 * own name: every spelling of a path gives the same key, and so do files of the same name elsewhere. A link with
 * another name does not.
 */
export const keyOf = (path: string): string => {
  const resolved = WorkspacePath.resolve(platform, { base: platform === "win32" ? "C:\\" : "/", path })
  const name =
    Either.getOrElse(resolved, () => path)
      .split(platform === "win32" ? "\\" : "/")
      .at(-1) ?? ""
  return `file:${name.normalize("NFC").toLowerCase()}`
}
