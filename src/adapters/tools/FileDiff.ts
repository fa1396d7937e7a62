/** What people see of a changed file. */
import { Effect } from "effect"
import { sideBytes } from "../../domain/ResultParts.js"
import type { ResultDiff } from "../../services/ToolResult.js"
import * as FileContent from "./FileContent.js"

const isSmall = (content: Uint8Array | null): boolean => content === null || content.length <= sideBytes

/**
 * The diff of a content, null for none, to another; nothing where one of them is no text or more than a result keeps,
 * as all that would come of it is a note for the model. Never fails.
 */
export const of = (
  path: string,
  before: Uint8Array | null,
  after: Uint8Array
): Effect.Effect<ReadonlyArray<ResultDiff>> =>
  isSmall(before) && isSmall(after)
    ? Effect.all({
        path: Effect.succeed(path),
        before: before === null ? Effect.succeed(null) : FileContent.textOf(path, before),
        after: FileContent.textOf(path, after)
      }).pipe(
        Effect.map((diff) => [diff]),
        Effect.orElseSucceed(() => [])
      )
    : Effect.succeed([])
