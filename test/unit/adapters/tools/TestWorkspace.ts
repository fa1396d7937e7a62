/** A real temp folder with a workspace `ws` in it, and files next to it that tools must never reach. */
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { CallId } from "../../../../src/domain/Message.js"
import { RunId } from "../../../../src/domain/Run.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { Call, type Result } from "../../../../src/services/Tool.js"

/** Creates the workspace with these files; all of it is removed with the scope. */
export const make = (files: Readonly<Record<string, string | Uint8Array>> = {}) =>
  Effect.gen(function* () {
    const base = yield* Effect.acquireRelease(
      Effect.promise(async () => realpath(await mkdtemp(join(tmpdir(), "skein-tools-")))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 10 }))
    )
    const workdir = join(base, "ws")
    yield* Effect.promise(async () => {
      await mkdir(workdir)
      await mkdir(join(base, "outside"))
      await writeFile(join(base, "outside", "secret.txt"), "secret\n")
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(workdir, path)), { recursive: true })
        await writeFile(join(workdir, path), content)
      }
    })
    return { base, workdir, outside: join(base, "outside"), at: (path: string) => join(workdir, path) }
  })

/** Runs a tool's effect as a call in this folder. */
export const inFolder =
  (workdir: string | null, progress: (text: string) => Effect.Effect<void> = () => Effect.void) =>
  <A, E, R>(effect: Effect.Effect<A, E, R | Call>): Effect.Effect<A, E, Exclude<R, Call>> =>
    Effect.provideService(effect, Call, {
      sessionId: SessionId.make("ses-1"),
      runId: RunId.make("run-1"),
      callId: CallId.make("call-1"),
      fence: 1,
      owner: null,
      workdir,
      metadata: {},
      progress,
      ask: () => Effect.succeed({ _tag: "Declined", message: null })
    })

/** What a model reads of an output. */
export const textOf = (output: string | Result): string => (typeof output === "string" ? output : output.text)

/** Names in a folder, sorted. */
export const namesIn = (path: string) => Effect.promise(async () => (await readdir(path)).sort())

/** Makes a named pipe. */
export const makePipe = (path: string) => Effect.sync(() => execFileSync("sh", ["-c", 'mkfifo "$0"', path]))
