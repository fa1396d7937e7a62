/**
 * What of a server's results is used, and what it must look like. A block that is not of the protocol's form is left
 * out, and counted; the others are kept. Only what is used of a block is checked, and only up to its first flaw.
 */
import { Array as Arr, Schema } from "effect"

const optional = Schema.optional(Schema.String)

const Resource = Schema.Struct({ uri: Schema.String, mimeType: optional, text: optional, blob: optional }).pipe(
  Schema.filter(({ blob, text }) => blob !== undefined || text !== undefined)
)
export type Resource = typeof Resource.Type

const Block = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({ type: Schema.Literal("image", "audio"), data: Schema.String, mimeType: Schema.String }),
  Schema.Struct({ type: Schema.Literal("resource_link"), name: Schema.String, uri: Schema.String }),
  Schema.Struct({ type: Schema.Literal("resource"), resource: Resource })
)
export type Block = typeof Block.Type

/** Blocks, and how many others were left out. */
export interface Blocks<A> {
  readonly blocks: ReadonlyArray<A>
  readonly leftOut: number
}

const readable = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownOption(schema)
  return (given: ReadonlyArray<unknown>): Blocks<A> => {
    const blocks = Arr.filterMap(given, (one) => decode(one))
    return { blocks, leftOut: given.length - blocks.length }
  }
}

const List = Schema.Array(Schema.Unknown)

/** A call's result. */
export const Call = Schema.Struct({
  content: Schema.optionalWith(List, { default: () => [] }),
  isError: Schema.optional(Schema.Boolean),
  structuredContent: Schema.optional(Schema.Unknown)
})
export type Call = typeof Call.Type

/** What a prompt says. */
export const Prompt = Schema.Struct({ messages: List })
export type Prompt = typeof Prompt.Type

/** What a resource holds. */
export const Contents = Schema.Struct({ contents: List })
export type Contents = typeof Contents.Type

/** The blocks of a call's result. */
export const blocksOf = readable(Block)
/** The blocks of a prompt's messages. */
export const messagesOf = readable(Schema.Struct({ content: Block }))
/** The contents of a resource. */
export const resourcesOf = readable(Resource)
