/** The tools that an agent's models may call. They can differ from step to step. */
import { Context, Effect, Either, Layer, Option, Tracer } from "effect"
import * as InputSchema from "../domain/InputSchema.js"
import * as PortableName from "../domain/PortableName.js"
import { DuplicateTool, InvalidInput } from "../domain/SkeinError.js"
import type { ToolDefinition } from "./Model.js"
import * as Ended from "./Ended.js"
import * as Tool from "./Tool.js"

/** The tools of an agent, with what their handlers require. */
export interface Toolbox {
  /** By name, in the order given. */
  readonly tools: ReadonlyMap<string, Tool.Runnable<Tool.Call>>
  /** The tools as a model sees them. */
  readonly definitions: ReadonlyArray<ToolDefinition>
  /** Approximately how many characters the definitions take up in a request. */
  readonly size: number
}

const ofMap = (tools: Toolbox["tools"]): Toolbox => {
  const definitions = [...tools.values()].map(({ description, inputSchema, name }) => ({
    name,
    description,
    inputSchema
  }))
  return { tools, definitions, size: JSON.stringify(definitions).length }
}

/** No tools. */
export const empty: Toolbox = ofMap(new Map())

/** Provides each tool's handler with what it requires, except the call itself. */
const bind = <R>(tool: Tool.Runnable<R | Tool.Call>, context: Context.Context<R>): Tool.Runnable<Tool.Call> => ({
  ...tool,
  prepare: (input) =>
    Ended.map(Ended.provided(tool.prepare(input), Effect.mapInputContext(merge(context))), (prepared) => ({
      ...prepared,
      run: Effect.mapInputContext(prepared.run, merge(context))
    }))
})

/**
 * What the host provides takes precedence over what the engine happens to have: only the call and its span are the
 * engine's own.
 */
const merge =
  <R>(context: Context.Context<R>) =>
  (call: Context.Context<Tool.Call>): Context.Context<R | Tool.Call> => {
    const given = Context.add(Context.merge(call, context), Tool.Call, Context.get(call, Tool.Call))
    const span = Context.getOption(call, Tracer.ParentSpan)
    return Option.isNone(span) ? given : Context.add(given, Tracer.ParentSpan, span.value)
  }

const addAll = Effect.fn("Toolbox.add")(function* <R>(
  toolbox: Toolbox,
  tools: ReadonlyArray<Tool.Runnable<R | Tool.Call>>
) {
  if (tools.length === 0) return toolbox
  const context = yield* Effect.context<R>()
  const byName = new Map(toolbox.tools)
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
  return ofMap(byName)
})

/**
 * Returns the toolbox with more tools. The effect requires what their handlers require. Fails with `DuplicateTool` for
 * a name that is taken and with `InvalidInput` for a name or an input schema that providers refuse.
 */
export function add<const Tools extends ReadonlyArray<Tool.Any>>(
  toolbox: Toolbox,
  ...tools: Tools
): Effect.Effect<Toolbox, DuplicateTool | InvalidInput, Tool.Requirements<Tools[number]>>
export function add(
  toolbox: Toolbox,
  ...tools: ReadonlyArray<Tool.Any>
): Effect.Effect<Toolbox, DuplicateTool | InvalidInput, unknown> {
  return addAll(toolbox, tools)
}

/** Returns a toolbox of these tools. Fails as `add` does. */
export function make<const Tools extends ReadonlyArray<Tool.Any>>(
  ...tools: Tools
): Effect.Effect<Toolbox, DuplicateTool | InvalidInput, Tool.Requirements<Tools[number]>>
export function make(...tools: ReadonlyArray<Tool.Any>): Effect.Effect<Toolbox, DuplicateTool | InvalidInput, unknown> {
  return addAll(empty, tools)
}

type HandlerOf<T> =
  T extends Tool.Defined<string, infer Decoded, never, infer Output, unknown>
    ? (input: Decoded) => Effect.Effect<Output, unknown, unknown>
    : never

/** A handler for each of the tools, by name. */
export type Handlers<Tools extends ReadonlyArray<Tool.AnyDefined>> = {
  readonly [T in Tools[number] as T["name"]]: HandlerOf<T>
}

type RequirementsOf<H> = {
  readonly [Name in keyof H]: H[Name] extends (input: never) => Effect.Effect<unknown, unknown, infer R> ? R : never
}[keyof H]

/**
 * Provides the handlers of tools that `Tool.define` made, typed by the definitions. The layer requires what the
 * handlers require; `Tool.Call` is available to each of them.
 */
export function handlers<const Tools extends ReadonlyArray<Tool.AnyDefined>, H extends Handlers<Tools>>(
  tools: Tools,
  given: H
): Layer.Layer<Tool.Handler<Tools[number]["name"]>, never, Exclude<RequirementsOf<H>, Tool.Call>>
export function handlers(
  tools: ReadonlyArray<Tool.AnyDefined>,
  given: Readonly<Record<string, (input: never) => Effect.Effect<unknown, unknown, unknown>>>
): Layer.Layer<Tool.Handler<string>, never, unknown> {
  return Layer.effectContext(
    Effect.map(Effect.context<unknown>(), (context) =>
      Context.unsafeMake<Tool.Handler<string>>(
        new Map(
          tools.map(({ name }) => {
            const handle = (input: never) =>
              Effect.mapInputContext(
                given[name]?.(input) ?? Effect.dieMessage(`no handler was given for ${name}`),
                merge(context)
              )
            return [Tool.handlerTag(name).key, handle]
          })
        )
      )
    )
  )
}
