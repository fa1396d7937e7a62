/** Runs whose engine leaves, closed or dead: what their tests share. */
import { Effect, Schema } from "effect"
import { Permissions, Tool, Toolbox } from "skein"
import { Gate, ScriptedModel } from "skein/testing"
import { ground } from "./engines.js"

export const interrupted =
  "Interrupted: this call had started and did not finish. Its effects are unknown: check them before you repeat it."
export const neverStarted = "Never started: this call was not run and had no effect."

export const waiting = (gate: Gate.Gate) =>
  Tool.make("wait", { description: "waits", access: "read", input: { name: Schema.String } }).handle(
    ({ name }) => Effect.as(gate.pass(name), name),
    { key: ({ name }) => name.slice(0, 1) }
  )
export const asked = Tool.make("ask", { description: "is asked about", input: {} }).handle(() =>
  Effect.succeed("allowed")
)

/** An engine, in whose run `a` is done, `b1` runs and `b2` waits its turn; and another engine over the same storage. */
export const two = Effect.gen(function* () {
  const gate = yield* Gate.make
  const tool = waiting(gate)
  const options = { toolbox: Toolbox.layer(tool, asked), policy: Permissions.layerDefault }
  const { declare, model, open } = yield* ground
  const one = yield* open("one", options)
  const call = (name: string) => ScriptedModel.call(tool, { name })
  yield* model.play(ScriptedModel.calls(call("b1"), call("b2"), call("a")), ScriptedModel.text("done"))
  const run = yield* one.begin("go")
  yield* gate.open("a")
  yield* one.seen(run, "call.finished")
  yield* gate.reached("b1")
  return { call, declare, gate, model, one, open: (instance: string) => open(instance, options), run }
})
