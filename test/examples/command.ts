/**
 * A command with a tool and a policy of its own.
 *
 * Short notes are kept immediately, long ones are asked about at the terminal, and secrets are refused; the model is
 * told why. The answer is printed as it arrives.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Agents, Gateway, Model, Permissions, Run, Tool } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"
import { appendFile } from "node:fs/promises"
import { createInterface } from "node:readline/promises"

const note = Tool.make("note", { description: "Keeps a note", input: { text: Schema.String } }).handle(({ text }) =>
  Effect.as(
    Effect.promise(() => appendFile("notes.txt", `${text}\n`)),
    "kept"
  )
)

const policy: Permissions.Policy = ({ input }) =>
  Effect.succeed(
    input.includes("password")
      ? Permissions.deny("notes are no place for secrets")
      : input.length > 40
        ? Permissions.ask
        : Permissions.allow
  )

const model = ScriptedModel.make([
  ScriptedModel.calls(
    ScriptedModel.call(note, { text: "Milk." }),
    ScriptedModel.call(note, { text: "Call the plumber about the tap in the kitchen." }),
    ScriptedModel.call(note, { text: "The password is 1234." })
  ),
  ScriptedModel.text("Two notes are kept.")
])

const program = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const ask = Effect.fn(function* (event: { readonly questionId: Gateway.Answer["questionId"] }) {
    const { input, tool } = yield* gateway.question(event.questionId)
    const reply = yield* Effect.acquireUseRelease(
      Effect.sync(() => createInterface({ input: process.stdin, output: process.stderr })),
      (terminal) => Effect.promise(() => terminal.question(`${tool} ${input}? [y/n] `)),
      (terminal) => Effect.sync(() => terminal.close())
    )
    yield* gateway.answer({ questionId: event.questionId, verdict: reply === "y" ? "allow-once" : "deny" })
  })
  const session = yield* gateway.create({})
  const run = yield* gateway.send({ sessionId: session.id, text: process.argv[2] ?? "Take my notes." })
  yield* Stream.runForEach(Run.events(run), (event) => {
    if (event.type === "text.delta") return Effect.sync(() => process.stdout.write(event.text))
    if (event.type === "call.finished") return Console.error(`${event.name}: ${event.outcome}`)
    return event.type === "permission.asked" ? ask(event) : Effect.void
  })
  yield* Console.log("")
})

const agent = Agents.layer({ models: Model.always(model), tools: [note], policy })
NodeRuntime.runMain(program.pipe(Effect.provide(Layer.provide(SkeinNode.layer({ data: "./data" }), agent))))
