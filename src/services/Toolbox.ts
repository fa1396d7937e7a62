/** The tools that an engine's models may call. There is no default: a host names them, or uses `layerEmpty`. */
import { Context, Effect, Either, Layer } from "effect"
import * as InputSchema from "../domain/InputSchema.js"
import * as PortableName from "../domain/PortableName.js"
import { DuplicateTool, InvalidInput } from "../domain/SkeinError.js"
import * as Tool from "./Tool.js"

export interface Service {
  /** By name, in the order given. */
  readonly tools: ReadonlyMap<string, Tool.Runnable<Tool.Call>>
}

export class Toolbox extends Context.Tag("skein/Toolbox")<Toolbox, Service>() {}

/** Provides each tool's handler with what it requires, except the call itself. */
const bind = <R>(tool: Tool.Runnable<R | Tool.Call>, context: Context.Context<R>): Tool.Runnable<Tool.Call> => ({
  ...tool,
  prepare: (input) =>
    tool.prepare(input).pipe(
      Effect.map((prepared) => ({ key: prepared.key, run: Effect.mapInputContext(prepared.run, merge(context)) })),
      Effect.mapInputContext(merge(context))
    )
})

const merge =
  <R>(context: Context.Context<R>) =>
  (call: Context.Context<Tool.Call>): Context.Context<R | Tool.Call> =>
    Context.merge(context, call)

const make = Effect.fn("Toolbox.make")(function* <R>(tools: ReadonlyArray<Tool.Runnable<R | Tool.Call>>) {
  const context = yield* Effect.context<R>()
  const byName = new Map<string, Tool.Runnable<Tool.Call>>()
  for (const tool of tools) {
    if (!PortableName.is(tool.name)) {
      return yield* new InvalidInput({ field: "tool name", limit: PortableName.rule, actual: tool.name })
    }
    if (byName.has(tool.name)) return yield* new DuplicateTool({ name: tool.name })
    const inputSchema = yield* Either.mapLeft(
      InputSchema.portable(tool.inputSchema),
      (flaw) => new InvalidInput({ field: `input schema of the tool ${tool.name}`, ...flaw })
    )
    byName.set(tool.name, { ...bind(tool, context), inputSchema })
  }
  return { tools: byName }
})

/** What no provider takes in a name; the compiler looks for the likely ones, the rest is refused when the layer is built. */
type BadCharacter = " " | "." | "/" | ":" | "," | "@" | "#" | "(" | ")"

/** `never` when the compiler can see that all names differ and are names; else making the toolbox may fail. */
export type Refusal<Tools extends ReadonlyArray<Tool.Any>, Seen extends string = never> = Tools extends readonly [
  infer Head extends Tool.Any,
  ...infer Tail extends ReadonlyArray<Tool.Any>
]
  ? string extends Head["name"]
    ? DuplicateTool | InvalidInput
    : Head["name"] extends Seen
      ? DuplicateTool
      : Head["name"] extends `${string}${BadCharacter}${string}` | ""
        ? InvalidInput
        : Refusal<Tail, Seen | Head["name"]>
  : Tools extends readonly []
    ? never
    : DuplicateTool | InvalidInput

/** A toolbox of these tools; what their handlers require, the layer does. */
export function layer<const Tools extends ReadonlyArray<Tool.Any>>(
  ...tools: Tools
): Layer.Layer<Toolbox, Refusal<Tools>, Tool.Requirements<Tools[number]>>
export function layer(...tools: ReadonlyArray<Tool.Any>): Layer.Layer<Toolbox, DuplicateTool | InvalidInput, unknown> {
  return Layer.effect(Toolbox, make(tools))
}

/** A toolbox of tools that are found out when the layer is built. */
export function layerEffect<T extends Tool.Any, E, R>(
  tools: Effect.Effect<ReadonlyArray<T>, E, R>
): Layer.Layer<Toolbox, E | DuplicateTool | InvalidInput, R | Tool.Requirements<T>>
export function layerEffect<E, R>(
  tools: Effect.Effect<ReadonlyArray<Tool.Any>, E, R>
): Layer.Layer<Toolbox, E | DuplicateTool | InvalidInput, unknown> {
  return Layer.effect(Toolbox, Effect.flatMap(tools, make))
}

export const layerEmpty: Layer.Layer<Toolbox> = Layer.succeed(Toolbox, { tools: new Map() })
