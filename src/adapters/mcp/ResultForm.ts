/**
 * What a result must look like before the client package checks it. Its own check collects everything that is wrong, in
 * all forms that a block may have, which takes a moment for each block; this one stops at the first.
 */
import type { StandardSchemaV1Sync } from "@modelcontextprotocol/client"
import { Schema } from "effect"

type Loaded = typeof import("@modelcontextprotocol/client")

/** What any block may have besides. */
const common = {
  annotations: Schema.optional(
    Schema.Struct({ audience: Schema.optional(Schema.Array(Schema.Literal("user", "assistant"))) })
  ),
  icons: Schema.optional(Schema.Array(Schema.Struct({ src: Schema.String })))
}

const Contents = Schema.Struct({
  uri: Schema.String,
  text: Schema.optional(Schema.String),
  blob: Schema.optional(Schema.String)
}).pipe(Schema.filter(({ blob, text }) => blob !== undefined || text !== undefined))

const Block = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String, ...common }),
  Schema.Struct({ type: Schema.Literal("image", "audio"), data: Schema.String, mimeType: Schema.String, ...common }),
  Schema.Struct({ type: Schema.Literal("resource_link"), name: Schema.String, uri: Schema.String, ...common }),
  Schema.Struct({ type: Schema.Literal("resource"), resource: Contents, ...common })
)

const isCall = Schema.is(Schema.Struct({ content: Schema.optional(Schema.Array(Block)) }))
const isPrompt = Schema.is(Schema.Struct({ messages: Schema.Array(Schema.Struct({ content: Block })) }))
const isResource = Schema.is(Schema.Struct({ contents: Schema.Array(Contents) }))

const behind = <Input, Output>(
  isFormed: (result: unknown) => boolean,
  { "~standard": standard }: StandardSchemaV1Sync<Input, Output>
): StandardSchemaV1Sync<Input, Output> => ({
  "~standard": {
    ...standard,
    validate: (result) => (isFormed(result) ? standard.validate(result) : { issues: [{ message: "not of its form" }] })
  }
})

/** The client package's schemas of results, for `Client.request`, behind the checks of their form. */
export const make = ({ specTypeSchemas }: Loaded) => ({
  call: behind(isCall, specTypeSchemas.CallToolResult),
  prompt: behind(isPrompt, specTypeSchemas.GetPromptResult),
  resource: behind(isResource, specTypeSchemas.ReadResourceResult)
})
