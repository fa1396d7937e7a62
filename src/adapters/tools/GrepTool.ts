/**
 * `grep`: lines of text files that match a regular expression. Bounded in time and size, and says when it stopped early;
 * an expression that never finishes ends with the time limit, and blocks nothing meanwhile.
 *
 * Links are skipped, and so are .git and node_modules unless path or include names them; the description says so.
 * Binary files are not searched, nor is the end of a line longer than `Lines.maxCharacters`. The result says so, and
 * how many files and folders could not be read.
 */
import { Array as Arr, Effect, Option, Ref, Schema, Stream } from "effect"
import type { Hides } from "../../domain/Permission.js"
import * as Tool from "../../services/Tool.js"
import * as FileContent from "./FileContent.js"
import * as Findings from "./Findings.js"
import * as FolderWalk from "./FolderWalk.js"
import * as Glob from "./Glob.js"
import * as Lines from "./Lines.js"
import * as Matcher from "./Matcher.js"
import * as PathText from "./PathText.js"
import * as Files from "./WorkspaceFiles.js"
import type { OpenFile, OpenFolder, Workspace } from "./WorkspaceFiles.js"

const limits: Findings.Limits = { lines: 200, characters: 28_000 }
const seconds = 20
const shownCharacters = 240
const shownBefore = 80
const maxPatternCharacters = 1000

interface Search {
  readonly workspace: Workspace
  readonly matcher: Matcher.Matcher
  readonly expression: Matcher.Expression
  readonly include: Option.Option<Matcher.Expression>
  /** A path or pattern whose folders are searched even if they are usually left out. */
  readonly asked: string
  readonly hides: Hides
  readonly findings: Ref.Ref<Findings.Findings>
  /** The folder that is being searched, or the file when it is large. */
  readonly at: Ref.Ref<string>
}

/** JavaScript has no inline flags, but other greps take `(?i)` at the start. */
const expressionOf = (pattern: string): Matcher.Expression =>
  pattern.startsWith("(?i)")
    ? { pattern, source: pattern.slice(4), flags: "i" }
    : { pattern, source: pattern, flags: "" }

/** The line, or the part around the match when it is long. */
const excerpt = (line: string, column: number): string => {
  const text = line.trimEnd()
  if (text.length <= shownCharacters) return text
  const from = Math.max(0, column - shownBefore)
  const shown = Lines.window(text, from, shownCharacters)
  return `${from > 0 ? "…" : ""}${shown}${from + shownCharacters < text.length ? "…" : ""}`
}

interface Part {
  readonly printed: string
  readonly first: number
  readonly lines: ReadonlyArray<string>
  /** Which of the lines are cut. */
  readonly cut: ReadonlyArray<number>
}

interface PartResults {
  readonly lines: ReadonlyArray<string>
  /** The places of lines that were tried only in part, without a match. */
  readonly cut: ReadonlyArray<string>
  /** The places of lines that could not be tried. */
  readonly untried: ReadonlyArray<string>
}

/** What was found in the parts, one after the other. */
const found = (parts: ReadonlyArray<Part>, { matches, untried }: Matcher.Answer): PartResults => {
  const results = { lines: Array.of<string>(), cut: Array.of<string>(), untried: Array.of<string>() }
  const columns = new Map(matches.map(({ column, index }) => [index, column]))
  const failed = new Set(untried)
  let start = 0
  for (const { cut, first, lines, printed } of parts) {
    const placeOf = (index: number) => `${printed}:${first + index}`
    lines.forEach((line, index) => {
      const column = columns.get(start + index)
      if (column !== undefined) results.lines.push(`${placeOf(index)}: ${excerpt(line, column)}`)
      else if (failed.has(start + index)) results.untried.push(placeOf(index))
    })
    for (const index of cut) {
      if (!columns.has(start + index) && !failed.has(start + index)) results.cut.push(placeOf(index))
    }
    start += lines.length
  }
  return results
}

/** Tries all lines of the parts in one request; returns whether to go on. */
const searchParts = Effect.fnUntraced(function* (search: Search, parts: ReadonlyArray<Part>) {
  const answer = yield* search.matcher.find({
    expression: search.expression,
    text: parts.flatMap(({ lines }) => lines).join("\n"),
    separator: "\n",
    limit: limits.lines + 1
  })
  const results = found(parts, answer)
  const { isFull } = yield* Ref.updateAndGet(search.findings, (before) => {
    const after = Findings.add(limits, before, results.lines)
    return after.isFull ? after : Findings.addUnsearched(after, results)
  })
  return !isFull
})

const searchFile = (search: Search, file: OpenFile) =>
  Stream.runForEachWhile(FileContent.lines(file), ({ cut, first, lines }) =>
    searchParts(search, [{ printed: file.printed, first, lines, cut }])
  )

const addUnread = (search: Search) => Ref.update(search.findings, Findings.addUnreadFile)

const addBinary = (search: Search, folder: OpenFolder, name: string) =>
  Ref.update(search.findings, (findings) => Findings.addBinaryFile(findings, Files.placeOf(folder, name).printed))

/** Skips a file that is gone or has changed its kind in the meantime. */
const searchLarge = (search: Search, folder: OpenFolder, name: string) =>
  Files.openChild(search.workspace, folder, name).pipe(
    Effect.flatMap(Files.asFile),
    Effect.flatMap((file) => searchFile(search, file)),
    Effect.catchTag("FileRefused", (refused) =>
      refused.reason === "binary"
        ? addBinary(search, folder, name)
        : FileContent.isUnreadable(refused)
          ? addUnread(search)
          : Effect.void
    ),
    Effect.scoped
  )

const included = ({ include, matcher }: Search, prefix: string, names: ReadonlyArray<string>) =>
  Option.match(include, {
    onNone: () => Effect.succeed(names),
    onSome: (expression) =>
      matcher
        .find({
          expression,
          text: names.map((name) => prefix + name).join("\0"),
          separator: "\0",
          limit: names.length
        })
        .pipe(Effect.map(({ matches }) => matches.flatMap(({ index }) => names.slice(index, index + 1))))
  })

const partOf = (folder: OpenFolder, name: string, text: string): Part => ({
  printed: Files.placeOf(folder, name).printed,
  first: 1,
  lines: Lines.all(text),
  cut: []
})

/** Searches a few files of a folder in order, small ones together. */
const searchFew = Effect.fnUntraced(function* (search: Search, folder: OpenFolder, names: ReadonlyArray<string>) {
  let parts: Array<Part> = []
  for (const file of yield* FileContent.readSmall(search.workspace, folder, names)) {
    if (file._tag === "Text") parts.push(partOf(folder, file.name, file.text))
    if (file._tag === "Unreadable") yield* addUnread(search)
    if (file._tag === "Binary") yield* addBinary(search, folder, file.name)
    if (file._tag !== "Large") continue
    yield* searchParts(search, parts)
    parts = []
    yield* Ref.set(search.at, Files.placeOf(folder, file.name).printed)
    yield* searchLarge(search, folder, file.name)
  }
  return yield* searchParts(search, parts)
})

const searchFolder = (search: Search, start: OpenFolder) =>
  FolderWalk.filesBelow(search.workspace, start, {
    asked: search.asked,
    hides: search.hides,
    onHidden: (files) => Ref.update(search.findings, Findings.addHidden(files)),
    onSkipped: Ref.update(search.findings, Findings.addSkippedFolder)
  }).pipe(
    Stream.runForEachWhile(
      Effect.fnUntraced(function* ({ files, folder, prefix }) {
        const printed = PathText.print(folder.relative)
        yield* Ref.set(search.at, printed)
        yield* Tool.progress(`searching ${printed}`)
        const regular = files.filter(({ kind }) => kind === "file").map(({ name }) => name)
        for (const few of Arr.chunksOf(yield* included(search, prefix, regular), FileContent.filesAtOnce)) {
          if (!(yield* searchFew(search, folder, few))) return false
        }
        return true
      })
    )
  )

export const grep = Tool.make("grep", {
  description:
    "Finds lines in text files by a JavaScript regular expression; (?i) at its start ignores case. Returns " +
    `path:line: text, at most ${limits.lines} lines. Leaves out binary files and links, and .git and node_modules unless ` +
    "path or include names them.",
  access: "read",
  kind: "search",
  input: {
    pattern: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(maxPatternCharacters)).annotations({
      description: "Regular expression, matched against each line"
    }),
    path: Schema.optionalWith(PathText.input("File or folder to search; the workspace by default"), {
      default: () => "."
    }),
    include: Schema.optional(
      Schema.String.annotations({ description: "Glob pattern, relative to path, that files must match, such as *.ts" })
    )
  }
}).handle(
  Effect.fn("tools.grep")(function* ({ include, path, pattern }) {
    const workspace = yield* Files.current
    const compiled = include === undefined ? Option.none() : Option.some(yield* Glob.compile(include))
    const place = yield* Files.locate(workspace, path)
    const opened = yield* Files.openPlace(workspace, place)
    const matcher = yield* Matcher.make
    const expression = expressionOf(pattern)
    yield* matcher.find({ expression, text: "", separator: "\n", limit: 0 })
    const search: Search = {
      workspace,
      matcher,
      expression,
      include: compiled,
      asked: `${path}/${include ?? ""}`,
      hides: yield* Files.hides,
      findings: yield* Ref.make(Findings.none),
      at: yield* Ref.make(place.printed)
    }
    const run =
      opened._tag === "Folder"
        ? searchFolder(search, opened)
        : search.hides(place.relative)
          ? Ref.update(search.findings, Findings.addHidden(1))
          : searchFile(search, opened)
    const finished = yield* Effect.timeoutOption(run, `${seconds} seconds`)
    const stopped = Option.isNone(finished)
      ? `stopped after ${seconds} seconds in ${yield* Ref.get(search.at)}; simplify the pattern or narrow the search`
      : null
    return Findings.format(yield* Ref.get(search.findings), stopped)
  }, Effect.scoped),
  { title: ({ path, pattern }) => `Search ${PathText.print(path)} for ${pattern}`, locations: ({ path }) => [{ path }] }
)
