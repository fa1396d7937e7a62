/**
 * A worker that may be killed at any time: `worker.mjs JOB`.
 *
 * It has no loop and no state of its own. Killed anywhere, even with `kill -9`, it is started again with the same job:
 * `Run.settle` sends nothing twice, and a tool call that had begun is not begun again. The model is told that it was
 * cut off.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema } from "effect"
import { Agents, Gateway, Model, Permissions, Run, Session, Tool } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"
import { appendFile } from "node:fs/promises"

const charge = Tool.make("charge", { description: "Charges a customer", input: { cents: Schema.Int } }).handle(
  Effect.fn(function* ({ cents }) {
    yield* Effect.promise(() => appendFile("ledger.txt", `charged ${cents}\n`))
    yield* Console.log("charging")
    yield* Effect.sleep("1 hour") // the bank is slow, and the worker is killed here
    return "charged"
  })
)

const model = ScriptedModel.make([
  ScriptedModel.calls(ScriptedModel.call(charge, { cents: 500 })),
  ScriptedModel.text("It is not known whether the customer was charged. Please look.")
])
const agent = Agents.layer({ models: Model.always(model), tools: [charge], policy: Permissions.allowAll })

const program = Effect.gen(function* () {
  const job = process.argv[2] ?? "1"
  const gateway = yield* Gateway.Gateway
  const sessionId = Session.Id.make(`job-${job}`)
  yield* Effect.catchTag(gateway.create({ id: sessionId }), "SessionExists", () => Effect.void)
  const run = yield* Run.settle({ sessionId, idempotencyKey: job, text: `Charge the customer of job ${job}.` })
  yield* Console.log(run.stopReason, yield* Run.answer({ sessionId, runId: run.id, cursor: Session.Cursor.make(0) }))
})

NodeRuntime.runMain(program.pipe(Effect.provide(Layer.provide(SkeinNode.layer({ data: "./data" }), agent))))
