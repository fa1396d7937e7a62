/**
 * A second look by a process of its own, with nothing of this one's cache, descriptors or memory: a page that could not
 * be read may be whole on disk. And a lock held by a process that is killed to let go of it: a connection that closes
 * writes its log back, which must not happen to a damaged database before it is safe.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { spawn } from "node:child_process"
import { createRequire } from "node:module"

const lookScript = `
const print = (problems) => console.log(JSON.stringify(problems))
try {
  const connection = new (require(process.argv[1]))(process.argv[2], { readonly: true, fileMustExist: true })
  print(connection.prepare("PRAGMA integrity_check(20)").pluck().all())
} catch (error) { print([String(error.code)]) }`

const holdScript = `
try {
  const connection = new (require(process.argv[1]))(process.argv[2], { fileMustExist: true, timeout: 0 })
  connection.pragma("locking_mode = EXCLUSIVE")
  connection.exec("BEGIN EXCLUSIVE")
  console.log("held")
} catch (error) { console.log(String(error.code)) }
setInterval(() => {}, 1000)`

const start = (script: string, path: string) => {
  const module = createRequire(import.meta.url).resolve("better-sqlite3")
  return spawn(process.execPath, ["--eval", script, "--", module, path], { stdio: ["ignore", "pipe", "ignore"] })
}

type Child = ReturnType<typeof start>

const firstLine = (child: Child): Effect.Effect<string> =>
  Effect.async((resume) => {
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part
      if (text.includes("\n")) resume(Effect.succeed(text.trim()))
    })
    child.on("error", () => resume(Effect.succeed("")))
    child.on("close", () => resume(Effect.succeed(text.trim())))
  })

const running = (script: string, path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => start(script, path)),
    (child) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.on("close", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )

const problemsOf = (line: string): ReadonlyArray<string> => {
  try {
    const problems: unknown = JSON.parse(line)
    return Array.isArray(problems) ? problems.map(String).filter((problem) => problem !== "ok") : [line]
  } catch {
    return ["the second look did not succeed"]
  }
}

/** What another process finds wrong in the database's pages; nothing when it is sound. */
export const look = (path: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.scoped(Effect.map(Effect.flatMap(running(lookScript, path), firstLine), problemsOf))

/**
 * Keeps everybody else from the database until the scope closes. Gives "held", or SQLite's code: SQLITE_BUSY when
 * another process has it open.
 */
export const hold = (path: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.flatMap(running(holdScript, path), firstLine)
