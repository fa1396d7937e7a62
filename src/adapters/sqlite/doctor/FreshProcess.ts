/**
 * A process of its own, for two purposes. It checks a database again without this process's cache, descriptors or memory:
 * a page that could not be read may be intact on disk. And it holds a lock until it is killed: a connection that closes
 * writes its log back, which must not happen to a damaged database before a copy of it is safe.
 *
 * A process that does not start or does not answer proves nothing. Its answer is `NoAnswer`.
 */
import { Effect, Option, Schema } from "effect"
import type { Scope } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import * as SqliteFailure from "../SqliteFailure.js"

const Refused = Schema.TaggedStruct("Refused", { code: Schema.String })
const Looked = Schema.TaggedStruct("Looked", { problems: Schema.Array(Schema.String) })
const Held = Schema.TaggedStruct("Held", {})

interface NoAnswer {
  readonly _tag: "NoAnswer"
}

const noAnswer: NoAnswer = { _tag: "NoAnswer" }

const start = (task: "look" | "hold", path: string) => {
  const program = fileURLToPath(new URL("fresh-process.mjs", import.meta.url))
  return spawn(process.execPath, [program, task, path], { stdio: ["ignore", "pipe", "ignore"] })
}

const firstLine = (child: ReturnType<typeof start>): Effect.Effect<string> =>
  Effect.async((resume) => {
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part
      if (text.includes("\n")) resume(Effect.succeed(text.trim()))
    })
    child.on("error", () => resume(Effect.succeed("")))
    child.on("close", () => resume(Effect.succeed(text.trim())))
  })

/** Starts the process and waits for its answer. The process is killed with the scope. */
const ask = <A, I>(task: "look" | "hold", path: string, answer: Schema.Schema<A, I>) =>
  Effect.acquireRelease(
    Effect.sync(() => start(task, path)),
    (child) =>
      Effect.async<void>((resume) => {
        if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.on("close", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  ).pipe(
    Effect.flatMap(firstLine),
    Effect.map((line) =>
      Option.getOrElse(Schema.decodeOption(Schema.parseJson(Schema.Union(answer, Refused)))(line), () => noAnswer)
    )
  )

/** Checks the database's pages. `Refused` has SQLite's code. */
export const look = (path: string): Effect.Effect<typeof Looked.Type | typeof Refused.Type | NoAnswer> =>
  Effect.scoped(ask("look", path, Looked))

export const inUse = (path: string): StorageUnusable =>
  new StorageUnusable({ path, reason: "locked", detail: "another process has it open" })

/**
 * Keeps every other process from the database until the scope closes. Fails as locked while another process has it open,
 * and with `StorageFailed` when that cannot be found out. A database that SQLite cannot read counts as not in use.
 */
export const hold = (path: string): Effect.Effect<void, StorageUnusable | StorageFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const answer = yield* ask("hold", path, Held)
    if (answer._tag === "NoAnswer") {
      return yield* new StorageFailed({ operation: "check whether the database is in use", code: "NO_ANSWER" })
    }
    if (answer._tag === "Refused" && SqliteFailure.fromCode(answer.code).kind === "busy") {
      return yield* inUse(path)
    }
  })
