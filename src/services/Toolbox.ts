/** The tools that an agent's models may call. They can be others at each step. */
import { Context, Effect, Either } from "effect"
import * as InputSchema from "../domain/InputSchema.js"
import * as PortableName from "../domain/PortableName.js"
import { DuplicateTool, InvalidInput } from "../domain/SkeinError.js"
import type { ToolDefinition } from "./Model.js"
import type * as Tool from "./Tool.js"

export interface Toolbox {
  /** By name, in the order given. */
  readonly tools: ReadonlyMap<string, Tool.Runnable<Tool.Call>>
  /** The tools as a model sees them. */
  readonly definitions: ReadonlyArray<ToolDefinition>
  /** Characters that the definitions take up in a request, about. */
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

export const empty: Toolbox = ofMap(new Map())

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
 * Returns the toolbox with more tools; what their handlers require, the effect does. Fails with `DuplicateTool` for a name
 * that is taken and with `InvalidInput` for a name or an input schema that providers refuse.
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
