/**
 * `glob`: paths of files by pattern. Bounded in time and size, and says when it stopped early. Folders that are links
 * are never entered; .git and node_modules are entered only when the pattern or the path names them.
 */
import { Effect, Option, Ref, Schema, Stream } from "effect"
import * as Tool from "../../services/Tool.js"
import * as Findings from "./Findings.js"
import * as FolderWalk from "./FolderWalk.js"
import * as Glob from "./Glob.js"
import * as Matcher from "./Matcher.js"
import * as PathText from "./PathText.js"
import * as Files from "./WorkspaceFiles.js"

const limits: Findings.Limits = { lines: 500, characters: 28_000 }
const seconds = 20
const pathsAtOnce = 500

export const glob = Tool.make("glob", {
  description:
    "Finds files by a glob pattern such as src/**/*.ts; a pattern without / matches names at any depth. Returns at " +
    `most ${limits.lines} paths, relative to the workspace. Leaves out .git and node_modules unless pattern or path ` +
    "names them.",
  access: "read",
  kind: "search",
  input: {
    pattern: Schema.String.annotations({ description: "Glob pattern, relative to path" }),
    path: Schema.optionalWith(PathText.input("Folder to search; the workspace by default"), { default: () => "." })
  }
}).handle(
  Effect.fn("tools.glob")(function* ({ path, pattern }) {
    const workspace = yield* Files.current
    const expression = yield* Glob.compile(pattern)
    const place = yield* Files.locate(workspace, path)
    const start = yield* Effect.flatMap(Files.openPlace(workspace, place), Files.asFolder)
    const matcher = yield* Matcher.make
    const findings = yield* Ref.make(Findings.none)

    const search = FolderWalk.filesBelow(workspace, start, {
      hides: yield* Files.hides,
      onHidden: (files) => Ref.update(findings, Findings.addHidden(files)),
      asked: `${path}/${pattern}`,
      onSkipped: Ref.update(findings, Findings.addSkippedFolder)
    }).pipe(
      Stream.tap(({ folder }) => Tool.progress(`searching ${PathText.print(folder.relative)}`)),
      Stream.mapConcat(({ files, folder, prefix }) =>
        files.map(({ name }) => ({ path: prefix + name, printed: Files.placeOf(folder, name).printed }))
      ),
      Stream.grouped(pathsAtOnce),
      Stream.runForEachWhile(
        Effect.fnUntraced(function* (some) {
          const paths = Array.from(some)
          const text = paths.map(({ path }) => path).join("\0")
          const { matches } = yield* matcher.find({ expression, text, separator: "\0", limit: limits.lines + 1 })
          const found = matches.flatMap(({ index }) => paths.slice(index, index + 1).map(({ printed }) => printed))
          const { isFull } = yield* Ref.updateAndGet(findings, (before) => Findings.add(limits, before, found))
          return !isFull
        })
      )
    )
    const finished = yield* Effect.timeoutOption(search, `${seconds} seconds`)
    const stopped = Option.isNone(finished) ? `stopped after ${seconds} seconds; narrow the search` : null
    return Findings.format(yield* Ref.get(findings), stopped)
  }, Effect.scoped),
  { title: ({ path, pattern }) => `Find ${pattern} in ${PathText.print(path)}`, locations: ({ path }) => [{ path }] }
)
