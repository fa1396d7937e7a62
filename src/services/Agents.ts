/**
 * Agents: what decides how a session's steps are made. An agent is a name with a system prompt, models, tools, a
 * permission policy and a step limit. `Agents` is asked at each step, so that a host can decide by owner, metadata or
 * session, and a change takes effect at the next step.
 *
 * Everything that belongs to a step is of the agent that was resolved for it: the calls that the step asks for find the
 * tools that its model was shown.
 */
import { Array, Context, Effect, Layer, Schema } from "effect"
import { AgentName } from "../domain/AgentName.js"
import * as ModelRef from "../domain/ModelRef.js"
import * as Refusal from "../domain/Refusal.js"
import type { Run } from "../domain/Run.js"
import type { Session } from "../domain/Session.js"
import { AgentUnavailable, type DuplicateTool, InvalidInput } from "../domain/SkeinError.js"
import type { Models } from "./Model.js"
import type { Policy } from "./Permissions.js"
import type * as Tool from "./Tool.js"
import * as Toolbox from "./Toolbox.js"

/** What decides how a session's steps are made. */
export interface Agent {
  readonly name: AgentName
  /** The system prompt; null for none. */
  readonly system: string | null
  readonly models: Models
  /** How its models are asked, where the session's own model does not say otherwise. */
  readonly options: ModelRef.Options
  readonly toolbox: Toolbox.Toolbox
  readonly policy: Policy
  /** Model steps that a run may take. */
  readonly stepLimit: number
}

/** What the engine asks at each step. */
export interface Service {
  /** The agent of a run's next step. */
  readonly resolve: (session: Session, run: Run) => Effect.Effect<Agent, AgentUnavailable>
}

/** The agents of a host, as a service of the engine. */
export class Agents extends Context.Tag("skein/Agents")<Agents, Service>() {}

/** What an agent is made of beside its models. */
export interface Parts<Tools extends ReadonlyArray<Tool.Any>, R> {
  /** 1 to 64 letters, digits, dots, dashes and underscores. Defaults to "agent". */
  readonly name?: string | undefined
  /** The system prompt. Defaults to none. */
  readonly system?: string | null | undefined
  /** Defaults to none. */
  readonly tools?: Tools | undefined
  /** Decides on each call: one of `Permissions`, or a function of your own. */
  readonly policy: Policy<R>
  /** Model steps that a run may take. Defaults to 200. */
  readonly stepLimit?: number | undefined
  /** How the models are asked, where the session's own model does not say otherwise. */
  readonly options?: ModelRef.Options | undefined
}

/** What an agent is made of. */
export interface Definition<Tools extends ReadonlyArray<Tool.Any>, R, EM, RM> extends Parts<Tools, R> {
  /** The models that may answer, such as `Anthropic.models({ model: "claude-sonnet-4-5" })`. */
  readonly models: Effect.Effect<Models, EM, RM>
}

const Settings = Schema.Struct({
  name: AgentName,
  system: Schema.NullOr(Schema.String),
  options: ModelRef.Options,
  stepLimit: Schema.Int.pipe(
    Schema.between(1, Number.MAX_SAFE_INTEGER, { description: "a whole number of steps from 1" })
  )
})
const decode = Refusal.decoder(Schema.typeSchema(Settings), "agent")

const standardStepLimit = 200

const bind =
  <R>(policy: Policy<R>, context: Context.Context<R>): Policy =>
  (request) =>
    Effect.provide(policy(request), context)

/**
 * Makes an agent. What its models, its tools' handlers and its policy require, the effect does. Fails with `InvalidInput`,
 * naming the setting, and with `DuplicateTool`.
 */
export const make = Effect.fn("Agents.make")(function* <
  const Tools extends ReadonlyArray<Tool.Any> = readonly [],
  R = never,
  EM = never,
  RM = never
>({
  models,
  name = "agent",
  options = {},
  policy,
  stepLimit = standardStepLimit,
  system = null,
  tools
}: Definition<Tools, R, EM, RM>) {
  const settings = yield* decode({ name, system, options, stepLimit })
  const agent: Agent = {
    ...settings,
    models: yield* models,
    toolbox: tools === undefined ? Toolbox.empty : yield* Toolbox.make<Tools>(...tools),
    policy: bind(policy, yield* Effect.context<R>())
  }
  return agent
})

/** Returns the agent with more tools, such as those of an editor that has connected. */
export const withTools = <const Tools extends ReadonlyArray<Tool.Any>>(
  agent: Agent,
  ...tools: Tools
): Effect.Effect<Agent, DuplicateTool | InvalidInput, Tool.Requirements<Tools[number]>> =>
  Effect.map(Toolbox.add(agent.toolbox, ...tools), (toolbox) => ({ ...agent, toolbox }))

const unavailable = (agent: string | null, detail: string) => new AgentUnavailable({ agent: agent ?? "(none)", detail })

const ofNames = Effect.fnUntraced(function* ([first, ...others]: Array.NonEmptyReadonlyArray<Agent>) {
  const agents = new Map([[first.name, first]])
  for (const agent of others) {
    if (agents.has(agent.name)) {
      return yield* new InvalidInput({
        field: "agent.name",
        limit: "a name that no other agent has",
        actual: agent.name
      })
    }
    agents.set(agent.name, agent)
  }
  const known = [...agents.keys()].join(", ")
  const service: Service = {
    resolve: ({ agent: name }) => {
      const agent = name === null ? first : agents.get(name)
      return agent === undefined ? unavailable(name, `known are ${known}`) : Effect.succeed(agent)
    }
  }
  return service
})

/** One agent, for the sessions that name none or this one. */
export const layer = <const Tools extends ReadonlyArray<Tool.Any> = readonly [], R = never, EM = never, RM = never>(
  definition: Definition<Tools, R, EM, RM>
) => layerAll(make(definition))

/** Several agents by name, each from `make`. Sessions that name none have the first. Two of one name are refused. */
export const layerAll = <E, R>(
  ...agents: Array.NonEmptyReadonlyArray<Effect.Effect<Agent, E, R>>
): Layer.Layer<Agents, E | InvalidInput, R> => Layer.effect(Agents, Effect.flatMap(Effect.all(agents), ofNames))

/**
 * Asks `resolve` at each step; what it requires, the layer does. Make an agent once and return it: one that is made at
 * each step costs the reading of its tools' schemas each time. What `withTools` fails with, the run is told.
 */
export const layerResolve = <R>(
  resolve: (session: Session, run: Run) => Effect.Effect<Agent, AgentUnavailable | DuplicateTool | InvalidInput, R>
): Layer.Layer<Agents, never, R> =>
  Layer.effect(
    Agents,
    Effect.map(Effect.context<R>(), (context) => ({
      resolve: (session, run) =>
        resolve(session, run).pipe(
          Effect.catchTags({
            DuplicateTool: (error) => unavailable(session.agent, error.message),
            InvalidInput: (error) => unavailable(session.agent, error.message)
          }),
          Effect.provide(context)
        )
    }))
  )

/** No agent: for engines that look at sessions and run none. `detail` says why. */
export const layerNone = (detail: string): Layer.Layer<Agents> =>
  Layer.succeed(Agents, { resolve: ({ agent }) => unavailable(agent, detail) })
