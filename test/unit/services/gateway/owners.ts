/**
 * Two owners of one engine, and a session of the first in which everything has happened that can belong to a session.
 */
import { Effect, Schema, Stream } from "effect"
import { Gateway, Permissions, Session, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { of, open } from "../runtime/fixture.js"

/** Occurs in Ann's message, title, asset and question. */
export const secret = "only Ann knows"

export const ann = Session.Owner.make("ann")
export const bob = Session.Owner.make("bob")

const ask = Tool.make("ask", { description: "is asked about", input: { about: Schema.String } }).handle(() =>
  Effect.succeed("ran")
)

/** Ann's session, in whose run a human is asked, and the gateway as each of the two owners sees it. */
export const opened = Effect.gen(function* () {
  const engine = yield* open({ tools: [ask], policy: Permissions.askToWrite })
  yield* engine.model.play(ScriptedModel.calls(ScriptedModel.call(ask, { about: secret })), ScriptedModel.text("done"))
  const anns = of(yield* Effect.provide(Gateway.forOwner(ann), engine.context))
  const bobs = of(yield* Effect.provide(Gateway.forOwner(bob), engine.context))
  const run = yield* anns.begin(secret)
  const { questionId } = yield* anns.seen(run, "permission.asked")
  const asset = yield* anns.gateway.saveAsset({
    sessionId: run.sessionId,
    mediaType: "text/plain",
    name: secret,
    content: Stream.make(new Uint8Array(3))
  })
  return { all: engine.gateway, ann: anns.gateway, bob: bobs.gateway, run, questionId, assetId: asset.id }
})
export type Opened = Effect.Effect.Success<typeof opened>

/** Everything of Ann's that can be read. */
export const everything = ({ all, run }: Opened) =>
  Effect.all([all.sessions(), all.snapshot(run.sessionId), all.assets(run.sessionId), all.questions()])
