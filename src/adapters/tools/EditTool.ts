/**
 * `edit`: replaces a text in a file. Nothing is changed unless the text occurs exactly once, or at least once when all
 * are to be replaced, and the file still holds what was looked at.
 *
 * Texts are compared character by character. Only when nothing is found and the file has CRLF line ends, both texts are
 * taken to have them too, for `read` shows lines and models write line feeds.
 */
import { Effect, Option, Schema } from "effect"
import * as Tool from "../../services/Tool.js"
import * as FileContent from "./FileContent.js"
import { TextNotFound } from "./FileErrors.js"
import { keyOf } from "./FileKey.js"
import * as FileReplacement from "./FileReplacement.js"
import * as Files from "./WorkspaceFiles.js"

interface Replacement {
  readonly oldText: string
  readonly newText: string
}

const count = (text: string, part: string): number => text.split(part).length - 1

const withCarriageReturns = (text: string): string => text.replaceAll(/\r?\n/g, "\r\n")

const fitLineEnds = (text: string, replacement: Replacement): Replacement => {
  if (text.includes(replacement.oldText) || !text.includes("\r\n")) return replacement
  return {
    oldText: withCarriageReturns(replacement.oldText),
    newText: withCarriageReturns(replacement.newText)
  }
}

const replaceAll = (text: string, { newText, oldText }: Replacement): string => text.split(oldText).join(newText)

export const edit = Tool.make("edit", {
  description:
    "Replaces oldText by newText in a text file. oldText must be exactly what the file holds, white space too, and " +
    "occur once; with all, every occurrence is replaced.",
  input: {
    path: Schema.String.annotations({ description: "Path of the file, from the workspace" }),
    oldText: Schema.String.pipe(Schema.minLength(1)).annotations({ description: "The text to replace" }),
    newText: Schema.String.annotations({ description: "What stands there afterwards" }),
    all: Schema.optionalWith(Schema.Boolean.annotations({ description: "Replace every occurrence" }), {
      default: () => false
    })
  }
}).handle(
  Effect.fn("tools.edit")(function* ({ all, newText, oldText, path }) {
    const workspace = yield* Files.current
    const place = yield* Files.locate(workspace, path)
    const before = yield* Files.openPlace(workspace, place).pipe(
      Effect.flatMap(Files.asFile),
      Effect.flatMap((file) => FileContent.readWhole(file, FileReplacement.maxBytes)),
      Effect.scoped
    )
    const text = yield* FileContent.textOf(place.printed, before)
    const replacement = fitLineEnds(text, { oldText, newText })
    const occurrences = count(text, replacement.oldText)
    if (occurrences === 0 || (occurrences > 1 && !all)) {
      return yield* new TextNotFound({ path: place.printed, occurrences })
    }
    const after = yield* FileContent.bytesOf(place.printed, replaceAll(text, replacement))
    yield* FileReplacement.replaceFile(workspace, place, after, Option.some(FileContent.hash(before)))
    const line = count(text.slice(0, text.indexOf(replacement.oldText)), "\n") + 1
    return occurrences === 1
      ? `Edited ${place.printed} at line ${line}`
      : `Edited ${place.printed} at ${occurrences} places, first at line ${line}`
  }),
  { key: ({ path }) => keyOf(path) }
)
