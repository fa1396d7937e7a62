/**
 * Tools that a session has for as long as one of its clients is there, such as the tools of an editor or of the MCP
 * servers that the editor brought. They belong to this process: when another engine drives runs of the session, the
 * runs do not have these tools.
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
   * Gives a session tools until the scope is closed. They are asked for at each step, so they may change from step to
   * step; `add` itself does not wait for them. A call that has begun goes on when the scope is closed.
   */
  readonly add: (
    sessionId: SessionId,
    tools: Effect.Effect<ReadonlyArray<SessionTool>>
  ) => Effect.Effect<void, never, Scope.Scope>
  /**
   * Returns the agent with the tools that its session has now, for `Agents.layerResolve`. Of tools with the same name,
   * the agent's own is used, else the one that was added first. Fails with `InvalidInput` for a name or an input schema
   * that providers refuse.
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
      // A new effect each time, so that tools that are added twice stay until both are removed.
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
        // Tools with taken names were left out above.
        return yield* Effect.catchTag(Agents.withTools(agent, ...added.values()), "DuplicateTool", Effect.die)
      })
  }
})
