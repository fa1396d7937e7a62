/** Whether a path is a folder or lies below it, by their texts: no link is followed. */
import { Either } from "effect"
import * as WorkspacePath from "../../domain/WorkspacePath.js"

const platform: WorkspacePath.Platform = process.platform === "win32" ? "win32" : "posix"

/** Both paths are absolute. */
export const isWithin = (folder: string, path: string): boolean =>
  path === folder || Either.getOrElse(WorkspacePath.isInside(platform, { workspace: folder, path }), () => false)
