/**
 * A copy of a database as it is at one instant, made through SQLite by a process of its own: the last step, which syncs
 * it, is a long one. Damaged pages are copied as they are. The copy needs no log next to it, and only the user can read
 * it.
 */
import { Effect, Schema } from "effect"
import { closeSync, openSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { codeOf } from "../../ErrorCode.js"
import * as OwnProcess from "../../node/OwnProcess.js"

/** `code` is SQLite's or the system's. `isOpen` says whether the database could be opened. */
export class CopyFailed extends Schema.TaggedError<CopyFailed>()("CopyFailed", {
  code: Schema.String,
  isOpen: Schema.Boolean
}) {}

const Answer = Schema.Union(
  Schema.TaggedStruct("Copying", { done: Schema.Number, total: Schema.Number }),
  Schema.TaggedStruct("Copied", {}),
  Schema.TaggedStruct("Refused", { code: Schema.String, isOpen: Schema.Boolean })
)
const decode = Schema.decode(Schema.parseJson(Answer))

const noAnswer = new CopyFailed({ code: "the process that copies it ended early", isOpen: true })

/** Copies the database at `path` to `target`. `onProgress` gets the number of bytes copied, and the total. */
export const take = (
  path: string,
  target: string,
  onProgress: (done: number, total: number) => Effect.Effect<void>
): Effect.Effect<void, CopyFailed> =>
  Effect.gen(function* () {
    yield* Effect.try({
      try: () => {
        rmSync(target, { force: true })
        closeSync(openSync(target, "wx", 0o600))
      },
      catch: (thrown) => new CopyFailed({ code: codeOf(thrown), isOpen: true })
    })
    let isCopied = false
    yield* OwnProcess.run(fileURLToPath(new URL("copy-process.mjs", import.meta.url)), [path, target], (line) =>
      Effect.gen(function* () {
        const answer = yield* decode(line)
        if (answer._tag === "Refused") return yield* new CopyFailed(answer)
        if (answer._tag === "Copied") isCopied = true
        else yield* onProgress(answer.done, answer.total)
      })
    )
    if (!isCopied) return yield* noAnswer
  }).pipe(Effect.mapError((error) => (error instanceof CopyFailed ? error : noAnswer)))
