/** The tools that an engine's models may call. There is no default: a host says which, or `layerEmpty`. */
import { Context, Effect, Layer } from "effect"
import { DuplicateTool } from "../domain/SkeinError.js"
import * as Tool from "./Tool.js"

export interface Service {
  /** By name, in the order given. */
  readonly tools: ReadonlyMap<string, Tool.Runnable<Tool.Call>>
}

export class Toolbox extends Context.Tag("skein/Toolbox")<Toolbox, Service>() {}

/** Gives each tool's handler what it requires, but for the call itself. */
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
    if (byName.has(tool.name)) return yield* new DuplicateTool({ name: tool.name })
    byName.set(tool.name, bind(tool, context))
  }
  return { tools: byName }
})

/** `never` when the compiler can see that all names differ; else making the toolbox may fail. */
export type Duplicates<Tools extends ReadonlyArray<Tool.Any>, Seen extends string = never> = Tools extends readonly [
  infer Head extends Tool.Any,
  ...infer Tail extends ReadonlyArray<Tool.Any>
]
  ? string extends Head["name"]
    ? DuplicateTool
    : Head["name"] extends Seen
      ? DuplicateTool
      : Duplicates<Tail, Seen | Head["name"]>
  : Tools extends readonly []
    ? never
    : DuplicateTool

/** A toolbox of these tools; what their handlers require, the layer does. */
export function layer<const Tools extends ReadonlyArray<Tool.Any>>(
  ...tools: Tools
): Layer.Layer<Toolbox, Duplicates<Tools>, Tool.Requirements<Tools[number]>>
export function layer(...tools: ReadonlyArray<Tool.Any>): Layer.Layer<Toolbox, DuplicateTool, unknown> {
  return Layer.effect(Toolbox, make(tools))
}

/** A toolbox of tools that are found out when the layer is built. */
export function layerEffect<T extends Tool.Any, E, R>(
  tools: Effect.Effect<ReadonlyArray<T>, E, R>
): Layer.Layer<Toolbox, E | DuplicateTool, R | Tool.Requirements<T>>
export function layerEffect<E, R>(
  tools: Effect.Effect<ReadonlyArray<Tool.Any>, E, R>
): Layer.Layer<Toolbox, E | DuplicateTool, unknown> {
  return Layer.effect(Toolbox, Effect.flatMap(tools, make))
}

export const layerEmpty: Layer.Layer<Toolbox> = Layer.succeed(Toolbox, { tools: new Map() })
