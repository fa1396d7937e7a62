/** What a handler returns when a text is not enough. */
import { Schema } from "effect"

/** A file that a tool made or read. */
export const ResultFile = Schema.Struct({
  /** 1 to 255 characters; never used as a path. */
  name: Schema.String,
  /** `type/subtype` in lower case. A PNG, JPEG, GIF or WebP must have a valid header. */
  mediaType: Schema.String,
  content: Schema.Uint8ArrayFromSelf
})
export type ResultFile = typeof ResultFile.Type

/** A text file that a tool changed: its content before, null when it did not exist, and its content now. */
export const ResultDiff = Schema.Struct({
  path: Schema.String,
  before: Schema.NullOr(Schema.String),
  after: Schema.String
})
export type ResultDiff = typeof ResultDiff.Type

/** A handler's result with parts. */
export class Result extends Schema.Class<Result>("skein/Tool/Result")({
  /** What every model reads. */
  text: Schema.String,
  /** For programs that read the transcript; models do not see it. Up to 256 KiB as JSON are kept. */
  json: Schema.optional(Schema.Unknown),
  /** Kept as assets of the session. Up to 16; models that take files in results see them, others read their names. */
  files: Schema.optional(Schema.Array(ResultFile)),
  /** For people who watch; models do not see them. Up to 32, each side of up to 64 KiB. */
  diffs: Schema.optional(Schema.Array(ResultDiff))
}) {}

/** Returns a result that is only a text. */
export const ofText = (text: string): Result => new Result({ text }, true)

/**
 * Makes a result with parts, for a handler to return. Parts that cannot be kept are named in the text. An invalid
 * result ends the call with the outcome `defect`.
 */
export const result = (content: ConstructorParameters<typeof Result>[0]): Result => new Result(content)
