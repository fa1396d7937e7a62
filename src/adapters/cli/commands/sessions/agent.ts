import { Effect } from "effect"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import * as AgentChoice from "../../AgentChoice.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Engine from "../../Engine.js"
import * as SessionLookup from "../../SessionLookup.js"
import { Screen } from "../../terminal/Screen.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Sessions.js"

export const run = Effect.fn("sessions.agent")(function* (given: ValuesOf<typeof Commands.agent>) {
  const named = yield* SessionLookup.parse(given.argument(0) ?? "")
  const agent = yield* AgentChoice.named("agent", given.argument(1) ?? "")
  const screen = yield* Screen
  const { id } = yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    return yield* gateway.patch({ sessionId: yield* SessionLookup.find(named), agent })
  }).pipe(Effect.provide(Engine.layerForStored(given)))
  yield* screen.write(`${Texts.switchedAgent(id, agent)}\n`)
})
