/** What people see of a changed file. */
import { Effect } from "effect"
import type { ResultDiff } from "../../services/ToolResult.js"
import * as FileContent from "./FileContent.js"

/** The diff of a content, null for none, to another; nothing where one of them is no text. Never fails. */
export const of = (
  path: string,
  before: Uint8Array | null,
  after: Uint8Array
): Effect.Effect<ReadonlyArray<ResultDiff>> =>
  Effect.all({
    path: Effect.succeed(path),
    before: before === null ? Effect.succeed(null) : FileContent.textOf(path, before),
    after: FileContent.textOf(path, after)
  }).pipe(
    Effect.map((diff) => [diff]),
    Effect.orElseSucceed(() => [])
  )
