/**
 * Agents: what decides how a session's steps are made. An agent is a name with a system prompt, models, tools, a
 * permission policy and a step limit. `Agents` is asked at each step, so that a host can decide by owner, metadata or
 * session, and a change takes effect at the next step.
 *
 * A step keeps the agent that was resolved for it: its calls find the tools that its model was shown.
 */
import { Array, Context, Effect, Layer, Schema } from "effect"
import { AgentName } from "../domain/AgentName.js"
import * as ModelRef from "../domain/ModelRef.js"
import { OfferedAgent, OfferedModel } from "../domain/Offer.js"
import * as Refusal from "../domain/Refusal.js"
import type { Run } from "../domain/Run.js"
import type { Session } from "../domain/Session.js"
import { AgentUnavailable, type DuplicateTool, InvalidInput } from "../domain/SkeinError.js"
import * as Ended from "./Ended.js"
import type { Models } from "./Model.js"
import type { Policy } from "./Permissions.js"
import type * as Tool from "./Tool.js"
import * as Toolbox from "./Toolbox.js"

export { OfferedAgent }

/** What decides how a session's steps are made. */
export interface Agent {
  readonly name: AgentName
  /** What it is for, in a few words; null for none. */
  readonly about: string | null
  /** The system prompt; null for none. */
  readonly system: string | null
  readonly models: Models
  /** The models that people choose from, with their prices. */
  readonly offered: ReadonlyArray<OfferedModel>
  /** How its models are asked, unless the session's own model says otherwise. */
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
  /** The agents for people to choose from, with their models. */
  readonly offered: ReadonlyArray<OfferedAgent>
}

/** The agents of a host, as a service of the engine. */
export class Agents extends Context.Tag("skein/Agents")<Agents, Service>() {}

/** What an agent is made of, besides its models. */
export interface Parts<Tools extends ReadonlyArray<Tool.Any>, R> {
  /** 1 to 64 letters, digits, dots, dashes and underscores. Defaults to "agent". */
  readonly name?: string | undefined
  /** What it is for, in a few words, for people who choose one. Defaults to none. */
  readonly about?: string | null | undefined
  /** The system prompt. Defaults to none. */
  readonly system?: string | null | undefined
  /** Defaults to none. */
  readonly tools?: Tools | undefined
  /** Decides on each call: a policy of `Permissions`, or a function of your own. */
  readonly policy: Policy<R>
  /** Model steps that a run may take. Defaults to 200. */
  readonly stepLimit?: number | undefined
  /** How the models are asked, unless the session's own model says otherwise. */
  readonly options?: ModelRef.Options | undefined
  /**
   * The models for people to choose from, with the prices by which the cost of each step is stored. Defaults to what
   * the models themselves offer.
   */
  readonly offered?: ReadonlyArray<OfferedModel> | undefined
}

/** What an agent is made of. */
export interface Definition<Tools extends ReadonlyArray<Tool.Any>, R, EM, RM> extends Parts<Tools, R> {
  /** The models that may answer, such as `Anthropic.models({ model: "claude-sonnet-4-5" })`. */
  readonly models: Effect.Effect<Models, EM, RM>
}

const Settings = Schema.Struct({
  name: AgentName,
  about: Schema.NullOr(Schema.String),
  system: Schema.NullOr(Schema.String),
  options: ModelRef.Options,
  offered: Schema.optional(Schema.Array(OfferedModel)),
  stepLimit: Schema.Int.pipe(
    Schema.between(1, Number.MAX_SAFE_INTEGER, { description: "a whole number of steps from 1" })
  )
})
const decode = Refusal.decoder(Schema.typeSchema(Settings), "agent")

const standardStepLimit = 200

const bind =
  <R>(policy: Policy<R>, context: Context.Context<R>): Policy =>
  (request) =>
    Ended.provided(policy(request), Effect.provide(context))

/**
 * Makes an agent. The effect requires what its models, its tools' handlers and its policy require. Fails with
 * `InvalidInput`, naming the setting, and with `DuplicateTool`.
 */
export const make = Effect.fn("Agents.make")(function* <
  const Tools extends ReadonlyArray<Tool.Any> = readonly [],
  R = never,
  EM = never,
  RM = never
>({
  about = null,
  models,
  name = "agent",
  offered,
  options = {},
  policy,
  stepLimit = standardStepLimit,
  system = null,
  tools
}: Definition<Tools, R, EM, RM>) {
  const settings = yield* decode({ name, about, system, options, offered, stepLimit })
  const usable = yield* models
  const agent: Agent = {
    ...settings,
    models: usable,
    offered: settings.offered ?? usable.offered ?? [],
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

/** The agents as they are offered. */
const offer = (agents: ReadonlyArray<Agent>): ReadonlyArray<OfferedAgent> =>
  agents.map(({ about, name, offered }, index) => ({ name, about, standard: index === 0, models: offered }))

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
    },
    offered: offer([...agents.values()])
  }
  return service
})

/** One agent, for the sessions that name no agent or this one. */
export const layer = <const Tools extends ReadonlyArray<Tool.Any> = readonly [], R = never, EM = never, RM = never>(
  definition: Definition<Tools, R, EM, RM>
) => layerAll(make(definition))

/**
 * Several agents by name, each from `make`. Sessions that name none get the first. Two of the same name are refused.
 */
export const layerAll = <E, R>(
  ...agents: Array.NonEmptyReadonlyArray<Effect.Effect<Agent, E, R>>
): Layer.Layer<Agents, E | InvalidInput, R> => Layer.effect(Agents, Effect.flatMap(Effect.all(agents), ofNames))

/**
 * Asks `resolve` at each step. The layer requires what `resolve` requires. Make an agent once and return it: an agent
 * that is made at each step has its tools' schemas read each time. The errors of `withTools` reach the run as
 * `AgentUnavailable`.
 *
 * `offered` lists the agents for people to choose from, first the one for sessions that name none. Defaults to none.
 */
export const layerResolve = <R>(
  resolve: (session: Session, run: Run) => Effect.Effect<Agent, AgentUnavailable | DuplicateTool | InvalidInput, R>,
  offered: ReadonlyArray<Agent> = []
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
        ),
      offered: offer(offered)
    }))
  )

/** No agent: for engines that read sessions and run none. `detail` says why. */
export const layerNone = (detail: string): Layer.Layer<Agents> =>
  Layer.succeed(Agents, { resolve: ({ agent }) => unavailable(agent, detail), offered: [] })
