/**
 * A copy of a database as it is at one instant, made through SQLite by a process of its own: the last step, which syncs
 * it, is a long one. Damaged pages are copied as they are. The copy needs no log next to it, and only the user can read
 * it. Which instant is copied is decided once it is known which assets it names: to look again costs no copy.
 */
import { isPlatformError } from "@effect/platform/Error"
import { Effect, Queue, Schema, Stream } from "effect"
import { closeSync, openSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Asset } from "../../../domain/Asset.js"
import { codeOf } from "../../ErrorCode.js"
import * as OwnProcess from "../../node/OwnProcess.js"
import type { OnBytes } from "./BackupFile.js"
import * as NamedAssets from "./NamedAssets.js"

/** `code` is SQLite's or the system's. `isOpen` says whether the database could be opened. */
export class CopyFailed extends Schema.TaggedError<CopyFailed>()("CopyFailed", {
  code: Schema.String,
  isOpen: Schema.Boolean
}) {}

const Answer = Schema.Union(
  Schema.TaggedStruct("Found", { rows: Schema.Array(Schema.Unknown) }),
  Schema.TaggedStruct("Looked", {}),
  Schema.TaggedStruct("Copying", { done: Schema.Number }),
  Schema.TaggedStruct("Copied", {}),
  Schema.TaggedStruct("Refused", { code: Schema.String, isOpen: Schema.Boolean })
)
const decode = Schema.decode(Schema.parseJson(Answer))

const noAnswer = new CopyFailed({ code: "the process that copies it ended early", isOpen: true })

const program = fileURLToPath(new URL("copy-process.mjs", import.meta.url))

export interface Steps<E> {
  /** Called with assets that the database names now, by the paths of their files; the newest come first. */
  readonly onFound: (found: NamedAssets.Named) => Effect.Effect<void, E>
  /** Called with all of them: whether this state is copied, or the database is looked at again. */
  readonly isTaken: (named: NamedAssets.Named) => Effect.Effect<boolean, E>
  /** Called with the number of bytes that were copied since. */
  readonly onBytes: OnBytes
}

/** Copies the database at `path` to `target`. Returns the assets that the copy names. */
export const take = <E>(
  path: string,
  target: string,
  { isTaken, onBytes, onFound }: Steps<E>
): Effect.Effect<NamedAssets.Named, CopyFailed | E> =>
  Effect.gen(function* () {
    yield* Effect.try({
      try: () => {
        rmSync(target, { force: true })
        closeSync(openSync(target, "wx", 0o600))
      },
      catch: (thrown) => new CopyFailed({ code: codeOf(thrown), isOpen: true })
    })
    let named = new Map<string, Asset>()
    let copied = 0
    let isCopied = false
    const orders = yield* Queue.unbounded<string>()
    yield* Queue.offer(orders, "look\n")
    const onLine = Effect.fnUntraced(function* (line: string) {
      const answer = yield* Effect.mapError(decode(line), () => noAnswer)
      switch (answer._tag) {
        case "Found": {
          const found = NamedAssets.ofRows(answer.rows)
          for (const [name, asset] of found) named.set(name, asset)
          return yield* onFound(found)
        }
        case "Looked":
          if (yield* isTaken(named)) return yield* Queue.offer(orders, "copy\n")
          named = new Map()
          return yield* Queue.offer(orders, "look\n")
        case "Copying":
          return yield* onBytes(answer.done - copied).pipe(Effect.as(void (copied = answer.done)))
        case "Copied":
          isCopied = true
          return yield* Queue.shutdown(orders)
        case "Refused":
          return yield* new CopyFailed(answer)
      }
    })
    const running = OwnProcess.run(program, [path, target, NamedAssets.query], onLine, Stream.fromQueue(orders))
    yield* Effect.mapError(running, (error) => (isPlatformError(error) ? noAnswer : error))
    return isCopied ? named : yield* noAnswer
  })
