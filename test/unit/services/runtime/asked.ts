/** Models of a test's own, which remember what they were asked. */
import { Effect, Stream } from "effect"
import { Model, Tool, Usage } from "skein"
import { ModelFailed } from "../../../../src/domain/SkeinError.js"
import { ground } from "./engines.js"

export const refused = (detail: string, reason: ModelFailed["reason"] = "rejected") =>
  new ModelFailed({ model: "test/m", reason, status: 400, retryAfterMillis: null, detail })

export const finish = (reason: "stop" | "tool-calls"): Model.Part => ({ type: "finish", reason, usage: Usage.unknown })
export const said = (text: string): ReadonlyArray<Model.Part> => [
  { type: "text", id: "t", delta: text },
  finish("stop")
]

export const call: Model.Part = { type: "call", index: 0, name: "look", input: "{}", providerCallId: "c" }
const look = Tool.dynamic("look", {
  description: "looks",
  access: "read",
  inputSchema: { type: "object" }
}).handle(() => Effect.succeed("seen"))

/** A model of the test's own, and the requests that it got. */
export const modelOf = (
  step: (request: Model.StepRequest, number: number) => Stream.Stream<Model.Part, ModelFailed>,
  more: Partial<Model.Model> = {}
) => {
  const requests: Array<Model.StepRequest> = []
  const model: Model.Model = {
    provider: "test",
    model: "m",
    contextTokens: null,
    ...more,
    step: (request) => Stream.suspend(() => step(request, requests.push(request)))
  }
  return { requests, models: Model.always(model) }
}

export const engineOf = Effect.fnUntraced(function* (models: ReturnType<typeof modelOf>["models"]) {
  const { open } = yield* ground
  return yield* open("a", { models, tools: [look], config: { modelAttempts: 1 } })
})
