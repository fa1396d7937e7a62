/** The folders that sessions work in: one that a user names, and one that a session already has. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Effect } from "effect"
import type { Session } from "../../domain/Session.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import { WrongUsage } from "./Failure.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Run.js"
import * as SessionTexts from "./texts/Sessions.js"

const isFolder = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fileSystem) => fileSystem.stat(path)).pipe(
    Effect.match({ onFailure: () => false, onSuccess: ({ type }) => type === "Directory" })
  )

/** The absolute path of a folder that exists. */
export const existing = Effect.fn("SessionFolder.existing")(function* (given: string) {
  const absolute = (yield* Path.Path).resolve(given)
  if (yield* isFolder(absolute)) return absolute
  return yield* new InvalidInput({ field: "workdir", limit: Texts.existingFolder, actual: absolute })
})

/** Fails when the session's folder is gone, before anything is asked of a model. */
export const checkOf = Effect.fn("SessionFolder.checkOf")(function* ({ id, workdir }: Session) {
  if (workdir === null || (yield* isFolder(workdir))) return
  return yield* new WrongUsage({ detail: SessionTexts.folderGone(id, TerminalText.line(workdir)) })
})
