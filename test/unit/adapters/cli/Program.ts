/**
 * The built `skein` program, run as a process of its own in a folder of its own, with nothing of the user's
 * environment. Needs `npm run bundle` first, which `npm test` runs. Nothing waits for a fixed time: a test reads lines
 * until it finds the one that it wants.
 */
import { Effect, Ref, Schema } from "effect"
import type { Scope } from "effect"
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Entry } from "../../../../src/domain/Message.js"
import { Session } from "../../../../src/domain/Session.js"
import * as SessionEvent from "../../../../src/domain/SessionEvent.js"
import type { ProcessEnd, RunningProcess } from "../../../support/programs/Process.js"
import * as Process from "../../../support/programs/Process.js"

/** The file that Node runs. */
export const program = fileURLToPath(new URL("../../../../dist/skein.mjs", import.meta.url))

export interface Home {
  /** The folder in which the program runs. */
  readonly workdir: string
  /** Where its sessions are. */
  readonly data: string
  /** A path in the home folder. */
  readonly at: (path: string) => string
  readonly write: (path: string, content: string) => Effect.Effect<void>
  readonly start: (
    args: ReadonlyArray<string>,
    env?: Readonly<Record<string, string>>
  ) => Effect.Effect<RunningProcess, never, Scope.Scope>
  /** Runs the program to its end. */
  readonly run: (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => Effect.Effect<ProcessEnd>
  /** Runs a shell command line in which `skein` is the program. */
  readonly shell: (line: string, env?: Readonly<Record<string, string>>) => Effect.Effect<ProcessEnd>
}

/** A home folder, removed with the scope. `files` are created in the folder in which the program runs. */
export const make = (files: Readonly<Record<string, string>> = {}): Effect.Effect<Home, never, Scope.Scope> =>
  Effect.gen(function* () {
    const home = yield* Effect.acquireRelease(
      Effect.promise(async () => realpath(await mkdtemp(join(tmpdir(), "skein-cli-")))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 10 }))
    )
    const workdir = join(home, "work")
    yield* Effect.promise(() => mkdir(workdir))
    const at = (path: string) => join(home, path)
    const write = (path: string, content: string) =>
      Effect.promise(async () => {
        await mkdir(dirname(at(path)), { recursive: true })
        await writeFile(at(path), content)
      })
    yield* Effect.forEach(Object.entries(files), ([path, content]) => write(`work/${path}`, content))
    const data = join(home, "data")
    const basic = { HOME: home, PATH: process.env["PATH"] ?? "", SKEIN_DATA: data }
    const begin: Home["start"] = (args, env = {}) =>
      Process.start(process.execPath, [program, ...args], { cwd: workdir, env: { ...basic, ...env } })
    return {
      workdir,
      data,
      at,
      write,
      start: begin,
      run: (args, env) => Effect.scoped(Effect.flatMap(begin(args, env), ({ ended }) => ended)),
      shell: (line, env = {}) =>
        Effect.scoped(
          Effect.flatMap(
            Process.start("sh", ["-c", `skein() { "${process.execPath}" "${program}" "$@"; }; ${line}`], {
              cwd: workdir,
              env: { ...basic, ...env }
            }),
            ({ ended }) => ended
          )
        )
    }
  })

/**
 * Configures a provider named `fake` at this URL, with its model `m` for all sessions. Returns the variable that
 * selects this configuration.
 */
export const configure = ({ at, write }: Home, url: string) =>
  Effect.as(
    write(
      "config.json",
      JSON.stringify({ model: "fake/m", providers: { fake: { kind: "chat-completions", baseUrl: url } } })
    ),
    { SKEIN_CONFIG: at("config.json") }
  )

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

const decodeEvent = Schema.decodeUnknownSync(Schema.parseJson(SessionEvent.SessionEvent))
const decodeEntry = Schema.decodeUnknownSync(Schema.parseJson(Entry))
const decodeSession = Schema.decodeUnknownSync(Schema.parseJson(Session))

export const events = ({ stdout }: ProcessEnd) => lines(stdout).map((line) => decodeEvent(line))
export const entries = ({ stdout }: ProcessEnd) => lines(stdout).map((line) => decodeEntry(line))
export const sessions = ({ stdout }: ProcessEnd) => lines(stdout).map((line) => decodeSession(line))

/** Reads events until the given number of events of this type have arrived; returns all that were read. */
export const readUntil = (running: RunningProcess, type: SessionEvent.Type, times = 1) =>
  Effect.gen(function* () {
    const seen = yield* Ref.make<ReadonlyArray<SessionEvent.SessionEvent>>([])
    while ((yield* Ref.get(seen)).filter((event) => event.type === type).length < times) {
      const event = decodeEvent(yield* Effect.flatten(running.line))
      yield* Ref.update(seen, (before) => [...before, event])
    }
    return yield* Ref.get(seen)
  }).pipe(Effect.orDie)

/** Whether the text is a single line with an error and nothing else. */
export const isOneLine = (text: string): boolean => /^skein: [^\n]+\n$/.test(withoutProgress(text))

/** A program's stderr without its progress lines, which appear only on a slow machine. */
export const withoutProgress = (text: string): string =>
  text.replace(/^(?:Backing up|Restoring|Checking|Repairing|Exporting|Importing)(?:: .*)?\n/gm, "")
