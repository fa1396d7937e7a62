import { Effect, Schema } from "effect"
import { Tool } from "skein"

export const add = Tool.make("add", {
  description: "Adds two numbers",
  access: "read",
  input: { a: Schema.Number, b: Schema.Number },
  output: Schema.Number
}).handle(({ a, b }) => Effect.succeed(a + b))
