/** Runs whose engine leaves, closed or dead: shared by their tests. */
import { Effect, Schema } from "effect"
import { Permissions, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate } from "skein/testing"
import { ground, type Options } from "./engines.js"

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

/**
 * An engine in whose run `a` is done, `b1` runs and `b2` waits for its turn; and a way to open other engines over the
 * same storage.
 */
export const two = Effect.gen(function* () {
  const gate = yield* Gate.make
  const tool = waiting(gate)
  const options = { tools: [tool, asked], policy: Permissions.askToWrite }
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

/** A run of engine `one` that waits in a call, and what else a test needs to let engines come and go. */
export const running = (config: Options["config"] = {}, own: Options = {}) =>
  Effect.gen(function* () {
    const gate = yield* Gate.make
    const tool = waiting(gate)
    const world = yield* ground
    const options = { tools: [tool], config }
    const open = (instance: string, more: Options = {}) => world.open(instance, { ...options, ...more })
    const call = (name: string) => ScriptedModel.calls(ScriptedModel.call(tool, { name }))
    const one = yield* open("one", own)
    yield* world.model.play(call("x"))
    const run = yield* one.begin("go", { idempotencyKey: "k", metadata: { who: "Ann" } })
    yield* gate.reached("x")
    const die = world.declare("one", "dead")
    return { ...world, call, die, gate, one, open, run }
  })
