import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { Agents, Permissions, Session, SessionTools, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"

const named = (name: string, description = "of a client") =>
  Tool.make(name, { description, input: {} }).handle(() => Effect.succeed(name))

const parts = {
  models: ScriptedModel.models,
  policy: Permissions.allowAll,
  tools: [named("own", "of the agent")]
}

describe("tools of a session", () => {
  it.scoped("are the agent's own and those of its clients, as long as the clients are there", () =>
    Effect.gen(function* () {
      const agent = yield* Agents.make(parts)
      const { add, withTools } = yield* SessionTools.SessionTools
      const session = (id: string) => ({ id: Session.Id.make(id) })
      const tools = (id: string) =>
        Effect.map(withTools(agent, session(id)), ({ toolbox }) =>
          toolbox.definitions.map(({ description, name }) => `${name}, ${description}`)
        )
      expect(yield* withTools(agent, session("a"))).toBe(agent)

      let listed = [named("own"), named("open")]
      const one = yield* Scope.make()
      const other = yield* Scope.make()
      const source = Effect.sync(() => listed)
      yield* Scope.extend(add(Session.Id.make("a"), source), one)
      yield* Scope.extend(add(Session.Id.make("a"), Effect.succeed([named("open", "of another")])), other)
      expect(yield* tools("a")).toEqual(["own, of the agent", "open, of a client"])
      expect(yield* tools("b")).toEqual(["own, of the agent"])

      listed = [named("save")]
      expect(yield* tools("a")).toEqual(["own, of the agent", "save, of a client", "open, of another"])
      listed = [named("no name for a tool")]
      expect(yield* Effect.flip(tools("a"))).toMatchObject({ _tag: "InvalidInput", field: "tool name" })

      yield* Scope.close(one, Exit.void)
      expect(yield* tools("a")).toEqual(["own, of the agent", "open, of another"])
      yield* Scope.close(other, Exit.void)
      expect(yield* withTools(agent, session("a"))).toBe(agent)
    }).pipe(Effect.provide(Layer.merge(SessionTools.layer, ScriptedModel.layer)))
  )
})
