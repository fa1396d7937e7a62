/**
 * `npm run test:versions [-- VERSION... ARGUMENT...]`: runs the suite on other versions of Node, one after another. A
 * version is a number, such as `24` or `24.1.0`; the default is 22, 24 and 26. The other arguments are Vitest's, such
 * as a folder of tests. At the end it prints one line for each version. It exits with 1 if any of them failed, or if it
 * was interrupted.
 *
 * Guaranteed: the checkout stays as it is. Each version has a temporary folder of its own with:
 *
 * - that Node, from the npm registry, with the headers to compile the driver if needed;
 * - a copy of the files that Git tracks, as they were when the command started;
 * - what `npm ci` installs there, and the temporary files of the tests.
 *
 * The folder is removed at the end, including after SIGINT and SIGTERM.
 *
 * Not guaranteed: that SIGKILL leaves nothing, and that Windows can run it. Untracked files are not copied: one of them
 * may be a link to the installed packages of another checkout, which `npm ci` would empty.
 */
import { Command, FileSystem, Path } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Array as Arr, Console, Duration, Effect, Either, Exit, Schedule, Schema, Stream } from "effect"

/** A command exited with a code other than 0. Its own output says why. */
class StepFailed extends Schema.TaggedError<StepFailed>()("StepFailed", { step: Schema.String }) {
  override get message() {
    return `${this.step} failed`
  }
}

/** The package with this platform's binary and headers. */
const nodePackage = `node-${process.platform}-${process.arch}`

const npm = (...args: ReadonlyArray<string>): Command.Command => Command.make("npm", ...args)

const run = (command: Command.Command, step: string) =>
  command.pipe(
    Command.stdin(Stream.empty),
    Command.stdout("inherit"),
    Command.stderr("inherit"),
    Command.exitCode,
    Effect.filterOrFail(
      (code) => code === 0,
      () => new StepFailed({ step })
    )
  )

/** A folder that is removed with its scope, once the processes that wrote to it are gone. */
const temporaryFolder = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  return yield* Effect.acquireRelease(files.makeTempDirectory({ prefix: "skein-node-" }), (folder) =>
    files
      .remove(folder, { recursive: true })
      .pipe(Effect.retry(Schedule.spaced("200 millis").pipe(Schedule.intersect(Schedule.recurs(50)))), Effect.orDie)
  )
})

/** Installs a Node, and returns its folder with `bin` and `include`. */
const install = Effect.fnUntraced(function* (version: string, folder: string) {
  const { join } = yield* Path.Path
  const what = `${nodePackage}@${version}`
  yield* run(npm("install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", what), `installing ${what}`)
  return join(folder, "node_modules", nodePackage)
})

/** Copies the tracked files, without those that were deleted. */
const copyCheckout = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const { dirname, join } = yield* Path.Path
  const tracked = (yield* Command.string(Command.make("git", "ls-files", "-z")))
    .split("\0")
    .filter((name) => name !== "")
  for (const name of tracked) {
    if (!(yield* files.exists(name))) continue
    yield* files.makeDirectory(dirname(join(folder, name)), { recursive: true })
    yield* files.copyFile(name, join(folder, name))
  }
})

const testOn = Effect.fnUntraced(function* (asked: string, source: string, args: ReadonlyArray<string>) {
  const { join } = yield* Path.Path
  const files = yield* FileSystem.FileSystem
  const root = yield* temporaryFolder
  const [checkout, temporary] = [join(root, "checkout"), join(root, "tmp")]
  const node = yield* install(asked, join(root, "node"))
  const version = (yield* Command.string(Command.make(join(node, "bin", "node"), "--version"))).trim()
  yield* files.copy(source, checkout)
  yield* files.makeDirectory(temporary)
  const inCheckout = (command: Command.Command) =>
    command.pipe(
      Command.workingDirectory(checkout),
      Command.env({
        PATH: `${join(node, "bin")}:${process.env["PATH"] ?? ""}`,
        TMPDIR: temporary,
        npm_config_nodedir: node
      })
    )
  yield* Console.log(`\nNode ${version}`)
  const suite = Effect.zipRight(
    run(inCheckout(npm("ci", "--no-audit", "--no-fund")), "npm ci"),
    run(inCheckout(npm("test", "--", ...args)), "npm test")
  )
  const [took, result] = yield* Effect.timed(Effect.either(suite))
  const passed = Either.isRight(result)
  const seconds = Math.round(Duration.toSeconds(took))
  return { passed, line: `Node ${version}: ${passed ? "passed" : result.left.message} after ${seconds} s` }
})

const isVersion = (argument: string): boolean => /^\d+(\.\d+){0,2}$/.test(argument)

const main = Effect.gen(function* () {
  const [versions, args] = Arr.span(process.argv.slice(2), isVersion)
  const source = yield* temporaryFolder
  yield* copyCheckout(source)
  const outcomes = yield* Effect.forEach(versions.length === 0 ? ["22", "24", "26"] : versions, (version) =>
    Effect.scoped(testOn(version, source, args)).pipe(
      Effect.catchAll(({ message }) => Effect.succeed({ passed: false, line: `Node ${version}: ${message}` }))
    )
  )
  yield* Console.log(`\n${outcomes.map(({ line }) => line).join("\n")}`)
  if (outcomes.some(({ passed }) => !passed)) process.exitCode = 1
})

NodeRuntime.runMain(Effect.scoped(main).pipe(Effect.provide(NodeContext.layer)), {
  // By default an interrupted program counts as successful.
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : 1)
})
