/**
 * Fills a data folder with every kind of row, and kills itself by SIGKILL in the middle of its work. Its arguments: the
 * data folder, and the folder in which its sessions work.
 */
import Sqlite from "better-sqlite3"
import { Effect, Layer, Schedule, Stream } from "effect"
import { join } from "node:path"
import { userText } from "../../../src/domain/Message.js"
import { Owner, SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import { Agents, Gateway, Model, Permissions, Tool } from "../../../src/index.js"
import { SkeinNode } from "../../../src/node.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import { watchStatements } from "../../campaigns/torture/Crossing.js"
import { pictures, scripts } from "./Sessions.js"

const [, , data = "", workdir = ""] = process.argv

const tool = (name: string, access: "read" | "write", run: Effect.Effect<string, Error>) =>
  Tool.make(name, { description: name, access, input: {} }).handle(() => run)

const tools = [
  tool("work", "read", Effect.succeed("worked")),
  tool("wait", "read", Effect.never),
  tool("fail", "read", Effect.fail(new Error("it failed"))),
  tool("die", "read", Effect.die("dead")),
  tool("big", "read", Effect.succeed("z".repeat(400_000))),
  tool("danger", "write", Effect.succeed("did it"))
]

const engine = SkeinNode.layer({ data, modelAttempts: 1, drainMillis: 0, recoverMillis: null }).pipe(
  Layer.provide(
    Agents.layer({
      models: Model.resolve(({ id }) => Effect.succeed(ScriptedModel.make(scripts[id] ?? []))),
      tools,
      policy: Permissions.askToWrite
    })
  )
)

const session = SessionId.make
const ann = Owner.make("ann")

/** Waits for the first event of a type in a session. */
const heard = (gateway: Gateway.Service, id: SessionId, type: SessionEvent.Type) =>
  Stream.runHead(Stream.filter(gateway.events({ sessionId: id }), SessionEvent.is(type)))

const say = (gateway: Gateway.Service, id: SessionId, text: string, extra: Partial<Gateway.Send> = {}) =>
  Effect.flatMap(gateway.send({ sessionId: id, text, ...extra }), gateway.await)

const everything = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const full = session("full")
  yield* gateway.create({
    id: full,
    workdir,
    owner: ann,
    title: "Everything in one",
    model: { provider: "script", model: "m", options: { temperature: 0.5, reasoningEffort: "low" } },
    metadata: { a: 1, deep: { b: [true, null, "x"] } }
  })
  for (const text of ["plain", "tools", "cut", "length", "filter"]) {
    yield* say(gateway, full, text, { metadata: { user: "u1" }, idempotencyKey: `key-${text}` })
  }
  const [picture, gone] = yield* Effect.forEach(pictures, ({ content, mediaType, name }) =>
    gateway.saveAsset({ sessionId: full, name, mediaType, content: Stream.make(content) })
  )
  if (picture === undefined || gone === undefined) return
  yield* say(gateway, full, "a picture", { files: [{ assetId: picture.id, mediaType: picture.mediaType }] })
  yield* gateway.deleteAsset(full, gone.id)
})

const changed = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const plainer = session("plainer")
  yield* gateway.create({ id: plainer, workdir })
  yield* gateway.append(plainer, [userText("from elsewhere")], "append-key")
  yield* gateway.patch({ sessionId: plainer, title: "Renamed by hand" })
  yield* gateway.patch({ sessionId: plainer, model: { provider: "other", model: "x" } })
  yield* gateway.patch({ sessionId: plainer, metadata: { k: "v" } })
  for (const answer of [
    { verdict: "allow-once", by: "ann" },
    { verdict: "deny", message: "not now" },
    { verdict: "allow-for-session" }
  ] as const) {
    const run = yield* gateway.send({ sessionId: plainer, text: `ask for ${answer.verdict}` })
    const asked = yield* Stream.runHead(
      Stream.filter(gateway.events({ sessionId: plainer, after: run.cursor }), SessionEvent.is("permission.asked"))
    )
    const { questionId } = yield* asked
    yield* gateway.answer({ questionId, ...answer })
    yield* gateway.await(run)
  }
  const hanging = yield* gateway.send({ sessionId: plainer, text: "cancelled" })
  yield* gateway.cancel(hanging.runId)
  yield* gateway.await(hanging)
  for (const id of ["gone", "reused"].map((id) => session(id))) {
    yield* gateway.create({ id, workdir })
    yield* say(gateway, id, "deleted")
    yield* gateway.delete(id)
  }
  yield* gateway.create({ id: session("reused"), workdir })
  yield* say(gateway, session("reused"), "again")
})

/** Begins a run that its engine leaves when it is closed. */
const left = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const id = session("released")
  yield* gateway.create({ id, workdir })
  yield* gateway.send({ sessionId: id, text: "left by its engine" })
  yield* heard(gateway, id, "run.started")
})

const drafts = Effect.sync(() => {
  const connection = new Sqlite(join(data, "skein.db"), { readonly: true })
  const count = connection.prepare<[], number>("SELECT count(*) FROM drafts").pluck().get() ?? 0
  connection.close()
  return count
})

const held = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const [held, drafting, asking, leaving] = ["held", "drafting", "asking", "leaving"].map((id) => session(id))
  if (held === undefined || drafting === undefined || asking === undefined || leaving === undefined) return
  for (const id of [held, drafting, asking, leaving]) yield* gateway.create({ id, workdir, owner: ann })
  yield* gateway.append(
    leaving,
    Array.from({ length: 700 }, (_, place) => userText(`message ${place}`))
  )
  yield* gateway.send({ sessionId: held, text: "work" })
  yield* heard(gateway, held, "call.started")
  yield* gateway.send({ sessionId: held, text: "queued one", whenBusy: "queue", idempotencyKey: "q1" })
  yield* gateway.send({ sessionId: held, text: "queued two", whenBusy: "queue" })
  yield* gateway.send({ sessionId: asking, text: "ask" })
  yield* heard(gateway, asking, "permission.asked")
  yield* gateway.send({ sessionId: drafting, text: "write" })
  yield* Effect.repeat(drafts, { schedule: Schedule.spaced("20 millis"), until: (count) => count > 0 })
  let isPurging = false
  watchStatements((text, run) => {
    const result = run()
    isPurging ||= text.startsWith("DELETE FROM messages")
    if (isPurging && text === "COMMIT") process.kill(process.pid, "SIGKILL")
    return result
  })
  yield* gateway.delete(leaving)
})

await Effect.runPromise(Effect.provide(Effect.all([everything, changed, left]), engine))
await Effect.runPromise(Effect.provide(held, engine))
