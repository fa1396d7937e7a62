/**
 * Tools: with services of the host, progress, keys, metadata about the user, and tools that are known only at run time.
 */
import { HttpClient } from "@effect/platform"
import { Context, Effect, Schema, Stream } from "effect"
import { Tool } from "skein"

class OrderError extends Schema.TaggedError<OrderError>()("OrderError", { message: Schema.String }) {}
export class Weather extends Context.Tag("app/Weather")<
  Weather,
  { readonly celsius: (city: string) => Effect.Effect<number> }
>() {}
export class Orders extends Context.Tag("app/Orders")<
  Orders,
  {
    readonly ofUser: (user: string) => Effect.Effect<ReadonlyArray<string>, OrderError>
    readonly export: (file: string) => Stream.Stream<number, OrderError>
  }
>() {}
export class Plugins extends Context.Tag("app/Plugins")<
  Plugins,
  {
    readonly list: Effect.Effect<
      ReadonlyArray<{
        readonly name: string
        readonly description: string
        readonly schema: { readonly type: "object" }
      }>
    >
  }
>() {}

// Schema in, Schema out; the handler's requirements become the tool's
export const weather = Tool.make("weather", {
  description: "The temperature in a city",
  access: "read",
  input: { city: Schema.String, unit: Schema.optionalWith(Schema.Literal("C", "F"), { default: () => "C" }) },
  output: Schema.Struct({ degrees: Schema.Number, unit: Schema.Literal("C", "F") })
}).handle(
  Effect.fn(function* ({ city, unit }) {
    const celsius = yield* (yield* Weather).celsius(city)
    return { degrees: unit === "C" ? celsius : celsius * 1.8 + 32, unit }
  })
)

// calls with the same key run one after the other; progress is an event
export const exportOrders = Tool.make("export_orders", {
  description: "Writes all orders to a file",
  input: { file: Schema.String }
}).handle(
  Effect.fn(function* ({ file }) {
    const rows = yield* (yield* Orders).export(file).pipe(
      Stream.tap((row) => Tool.progress(`row ${row}`)),
      Stream.runCount
    )
    return `${rows} rows in ${file}`
  }),
  { key: ({ file }) => file, timeout: "5 minutes" }
)

// the user who asks: what the host passed to `send` as metadata
export const myOrders = Tool.make("my_orders", {
  description: "The orders of the user",
  access: "read",
  input: {},
  output: Schema.Array(Schema.String)
}).handle(
  Effect.fn(function* () {
    const { user } = yield* Tool.metadata(Schema.Struct({ user: Schema.String }))
    return yield* (yield* Orders).ofUser(user)
  })
)

// known only at run time: name and JSON Schema
export const pluginTools = Effect.gen(function* () {
  const plugins = yield* (yield* Plugins).list
  return plugins.map((plugin) =>
    Tool.dynamic(plugin.name, { description: plugin.description, inputSchema: plugin.schema }).handle((input) =>
      HttpClient.post(`/plugins/${plugin.name}`).pipe(Effect.as({ fields: Object.keys(input) }))
    )
  )
})

export const tools = [weather, exportOrders, myOrders]
