/**
 * `read`: lines of a text file, as they are, so that they can be passed to `edit`. The result is bounded whatever the
 * file's size; when it is not the whole file, a last line in brackets says which lines it has and where to go on.
 *
 * For a picture, the result has the file itself, for models that can see it.
 */
import { Effect, Option, Schema, Stream } from "effect"
import { basename } from "node:path"
import * as SafeText from "../../domain/SafeText.js"
import * as Tool from "../../services/Tool.js"
import * as EditedFiles from "./EditedFiles.js"
import * as FileContent from "./FileContent.js"
import { OffsetPastEnd } from "./FileErrors.js"
import { keyOf } from "./FileKey.js"
import * as Lines from "./Lines.js"
import * as PathText from "./PathText.js"
import * as Files from "./WorkspaceFiles.js"

const maxLines = 2000
const maxLineCharacters = 2000
const maxResultCharacters = 28_000

/** The most bytes of a picture: no provider takes more. */
const maxPictureBytes = (5 * 1024 * 1024 * 3) / 4

interface Selection {
  readonly lines: ReadonlyArray<string>
  readonly characters: number
  /** Lines of the file that have been seen so far. */
  readonly seen: number
  readonly isTerminated: boolean
  /** Whether the next line was left out. */
  readonly hasMore: boolean
}

const nothing: Selection = { lines: [], characters: 0, seen: 0, isTerminated: true, hasMore: false }

const shorten = (line: string): string =>
  line.length <= maxLineCharacters ? line : `${Lines.window(line, 0, maxLineCharacters)} [line cut]`

const take =
  (offset: number, limit: number) =>
  (taken: Selection, block: Lines.Block): Selection => {
    const seen = block.first + block.lines.length - 1
    const wanted = block.lines.slice(Math.max(0, offset - block.first)).map(shorten)
    const fitting: Array<string> = []
    let characters = taken.characters
    for (const line of wanted) {
      if (taken.lines.length + fitting.length === limit || characters + line.length > maxResultCharacters) break
      characters += line.length + 1
      fitting.push(line)
    }
    const hasMore = fitting.length < wanted.length
    return {
      lines: [...taken.lines, ...fitting],
      characters,
      seen,
      isTerminated: block.isTerminated || hasMore,
      hasMore
    }
  }

const format = (offset: number, { hasMore, isTerminated, lines }: Selection): string => {
  const text = lines.join("\n") + (isTerminated && lines.length > 0 ? "\n" : "")
  const last = offset + lines.length - 1
  if (hasMore) return `${text}[lines ${offset} to ${last}; more follow, continue with offset ${last + 1}]`
  if (offset > 1) return `${text}${isTerminated ? "" : "\n"}[lines ${offset} to ${last}; end of file]`
  return lines.length === 0 ? "[the file is empty]" : text
}

export const read = Tool.make("read", {
  description:
    `Reads a text file from line offset on, up to ${maxLines} lines or ${maxResultCharacters} characters at a time. ` +
    "When more follow, a last line in brackets says so. For a PNG, JPEG, GIF or WebP file, returns the picture.",
  access: "read",
  kind: "read",
  input: {
    path: PathText.input("Path of the file, relative to the workspace"),
    offset: Schema.optionalWith(
      Schema.Int.pipe(Schema.positive()).annotations({ description: "First line, counted from 1" }),
      { default: () => 1 }
    ),
    limit: Schema.optionalWith(
      Schema.Int.pipe(Schema.between(1, maxLines)).annotations({ description: "Maximum number of lines" }),
      { default: () => maxLines }
    )
  }
}).handle(
  Effect.fn("tools.read")(function* ({ limit, offset, path }) {
    const workspace = yield* Files.current
    const place = yield* Files.locate(workspace, path)
    const file = yield* Effect.flatMap(Files.openPlace(workspace, place), Files.asFile)
    const picture = yield* FileContent.picture(file, maxPictureBytes)
    if (picture !== null) {
      const { content, height, mediaType, width } = picture
      return Tool.result({
        text: `${place.printed} is a picture: ${mediaType}, ${width} x ${height} pixels, ${content.length} bytes`,
        files: [{ name: SafeText.wellFormed(basename(place.relative)), mediaType, content }]
      })
    }
    const edited = yield* EditedFiles.ofEditor(file, place)
    const taken = yield* Stream.runFoldWhile(
      Option.isNone(edited) ? FileContent.lines(file) : FileContent.linesOf(file, edited.value),
      nothing,
      ({ hasMore }) => !hasMore,
      take(offset, limit)
    )
    if (taken.lines.length === 0 && offset > 1) {
      return yield* new OffsetPastEnd({ path: place.printed, offset, lines: taken.seen })
    }
    return format(offset, taken)
  }, Effect.scoped),
  {
    key: ({ path }) => keyOf(path),
    title: ({ path }) => `Read ${PathText.print(path)}`,
    locations: ({ offset, path }) => [{ path, line: offset }]
  }
)
