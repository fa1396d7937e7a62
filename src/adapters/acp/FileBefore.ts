/**
 * What a call that writes a whole file replaces, for people who are asked about it: the file as it is on disk here, if
 * it is a text that tools could replace.
 */
import { Effect } from "effect"
import * as FileContent from "../tools/FileContent.js"
import * as FileReplacement from "../tools/FileReplacement.js"
import * as LineEnds from "../tools/LineEnds.js"
import * as Files from "../tools/WorkspaceFiles.js"
import type { Change } from "./AskedCall.js"

const read = (workdir: string, { newText, path }: Change) =>
  Effect.gen(function* () {
    const workspace = yield* Files.open(workdir)
    const place = yield* Files.locate(workspace, path)
    const file = yield* Effect.flatMap(Files.openPlace(workspace, place), Files.asFile)
    const bytes = yield* FileContent.readWhole(file, FileReplacement.maxBytes)
    const after = LineEnds.fit(bytes, yield* FileContent.bytesOf(place.printed, newText))
    return {
      path,
      oldText: yield* FileContent.textOf(place.printed, bytes),
      newText: yield* FileContent.textOf(place.printed, after.bytes)
    }
  }).pipe(Effect.scoped)

/** The change with the text that it replaces, where it says only the new one. */
export const added = (workdir: string | null, change: Change): Effect.Effect<Change> =>
  workdir === null || change.oldText !== null
    ? Effect.succeed(change)
    : Effect.orElseSucceed(read(workdir, change), () => change)
