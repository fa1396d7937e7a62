/**
 * Tools that one session has for as long as a client of it is there, such as those of an editor or of the MCP servers that
 * it brought. They are of this process: runs of the session that another engine drives have none of them.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { Session, SessionId } from "../domain/Session.js"
import type { InvalidInput } from "../domain/SkeinError.js"
import * as Agents from "./Agents.js"
import type * as Tool from "./Tool.js"

/** A tool whose handler requires nothing but its call. */
export type SessionTool = Tool.Tool<string, never, unknown, unknown, never>

/** Tools by session. */
export interface Service {
  /**
   * Gives a session tools until the scope is closed. They are asked for at each step, so that they may be others at the
   * next one; what is slow to find out is not waited for here. A call that has begun goes on when the scope is closed.
   */
  readonly add: (
    sessionId: SessionId,
    tools: Effect.Effect<ReadonlyArray<SessionTool>>
  ) => Effect.Effect<void, never, Scope.Scope>
  /**
   * The agent with the tools that its session has now, for `Agents.layerResolve`. Of two tools with one name the agent's
   * own stays, then the one that was added first. Fails with `InvalidInput` for a name or an input schema that providers
   * refuse.
   */
  readonly withTools: (agent: Agents.Agent, session: Pick<Session, "id">) => Effect.Effect<Agents.Agent, InvalidInput>
}

/** Tools by session, which the agents of an engine and the clients of its sessions share. */
export class SessionTools extends Context.Tag("skein/SessionTools")<SessionTools, Service>() {}

type Source = Effect.Effect<ReadonlyArray<SessionTool>>

/** No session has tools at first. */
export const layer: Layer.Layer<SessionTools> = Layer.sync(SessionTools, () => {
  const sources = new Map<SessionId, ReadonlyArray<Source>>()

  const of = (sessionId: SessionId): ReadonlyArray<Source> => sources.get(sessionId) ?? []

  const remove = (sessionId: SessionId, source: Source) => {
    const others = of(sessionId).filter((other) => other !== source)
    if (others.length === 0) sources.delete(sessionId)
    else sources.set(sessionId, others)
  }

  return {
    add: (sessionId, tools) => {
      // An effect of its own, so that one that is added twice is there until both are gone.
      const source = Effect.suspend(() => tools)
      return Effect.acquireRelease(
        Effect.sync(() => void sources.set(sessionId, [...of(sessionId), source])),
        () => Effect.sync(() => remove(sessionId, source))
      )
    },
    withTools: (agent, { id }) =>
      Effect.gen(function* () {
        const all = yield* Effect.all(of(id), { concurrency: "unbounded" })
        const added = new Map<string, SessionTool>()
        for (const tool of all.flat()) {
          if (!agent.toolbox.tools.has(tool.name) && !added.has(tool.name)) added.set(tool.name, tool)
        }
        if (added.size === 0) return agent
        // Names that are taken were left out.
        return yield* Effect.catchTag(Agents.withTools(agent, ...added.values()), "DuplicateTool", Effect.die)
      })
  }
})
