/** The diff of a changed file, for people. */
import { Effect } from "effect"
import { sideBytes } from "../../domain/ResultParts.js"
import type { ResultDiff } from "../../services/ToolResult.js"
import * as FileContent from "./FileContent.js"

const isSmall = (content: Uint8Array | null): boolean => content === null || content.length <= sideBytes

/**
 * The diff from one content, null for none, to another. Empty when either is not text or is larger than a result keeps,
 * because it would only become a note for the model. Never fails.
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
