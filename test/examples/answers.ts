/**
 * Answers as values: a letter becomes a ticket.
 *
 * `Run.output` tells the model the form, `Run.answerAs` decodes what it writes. This model writes prose first, as
 * models do when no provider holds them to the form, and is asked again. Restarted after a kill, the program asks
 * nothing twice.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema } from "effect"
import { Agents, Gateway, Model, Permissions, Run, Session } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"

const Ticket = Schema.Struct({
  kind: Schema.Literal("bug", "wish"),
  title: Schema.NonEmptyString,
  urgent: Schema.Boolean
})

const model = ScriptedModel.make([
  ScriptedModel.text("That is a bug, I would say."),
  ScriptedModel.text('{"kind": "bug", "title": "The export is empty", "urgent": true}')
])
const agent = Agents.layer({ models: Model.always(model), policy: Permissions.askToWrite })

const program = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const sessionId = Session.Id.make("letter-1")
  yield* Effect.catchTag(gateway.create({ id: sessionId }), "SessionExists", () => Effect.void)
  const run = yield* gateway.send({
    sessionId,
    idempotencyKey: "ticket",
    text: "Make a ticket of this letter: Since Monday my exports are empty. I need them today!",
    output: yield* Run.output(Ticket)
  })
  const { kind, title, urgent } = yield* Run.answerAs(Ticket)(run)
  yield* Console.log(`${kind}: ${title}${urgent ? ", urgent" : ""}`)
  yield* Console.log(`asked ${(yield* gateway.runs({ sessionId })).length} times`)
})

NodeRuntime.runMain(
  program.pipe(
    Effect.catchTag("AnswerInvalid", ({ detail, text }) => Console.error(`no ticket: ${detail}\n${text}`)),
    Effect.provide(Layer.provide(SkeinNode.layer({ data: "./data" }), agent))
  )
)
