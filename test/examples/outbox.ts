/**
 * A host with a database of its own: why a transaction around `send` holds nothing together, and what does.
 *
 * Skein has a database of its own, and `send` has committed to it when it returns. If the host's transaction is rolled
 * back afterwards, the message stays where it is; if the host commits first and then crashes, the message is never
 * sent. So the host writes down what must be sent in its own transaction: a row of an outbox. Whatever empties the
 * outbox sends with the row's id as the key. A row that is sent twice, because the process died in between, is one
 * message.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Agents, Gateway, Model, Permissions, Run, Session } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"

const Row = Schema.Struct({ id: Schema.String, session: Session.Id, text: Schema.String })

const openTicket = Effect.fn(function* (id: string, session: Session.Id, text: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql.withTransaction(
    Effect.all([
      sql`INSERT INTO tickets ${sql.insert({ id, text })}`,
      sql`INSERT INTO outbox ${sql.insert({ id, session, text: `A ticket came in: ${text}` })}`
    ])
  )
})

/** Sends what waits; run it at startup, and after each ticket. */
const emptyOutbox = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const gateway = yield* Gateway.Gateway
  const rows = yield* Schema.decodeUnknown(Schema.Array(Row))(
    yield* sql`SELECT id, session, text FROM outbox ORDER BY rowid`
  )
  return yield* Effect.forEach(rows, ({ id, session, text }) =>
    gateway
      .send({ sessionId: session, text, idempotencyKey: id, whenBusy: "queue" })
      .pipe(Effect.tap(() => sql`DELETE FROM outbox WHERE id = ${id}`))
  )
})

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const gateway = yield* Gateway.Gateway
  yield* sql`CREATE TABLE tickets (id TEXT PRIMARY KEY, text TEXT)`
  yield* sql`CREATE TABLE outbox (id TEXT PRIMARY KEY, session TEXT, text TEXT)`
  const messages = (sessionId: Session.Id) =>
    Stream.runCount(gateway.transcript({ sessionId, to: Session.Seq.make(1) }))

  // What does not work: the ticket is gone, the message is there.
  const wrong = yield* gateway.create({})
  yield* Effect.gen(function* () {
    yield* sql`INSERT INTO tickets ${sql.insert({ id: "t0", text: "lost" })}`
    yield* gateway.send({ sessionId: wrong.id, text: "A ticket came in: lost" })
    return yield* Effect.fail("the host changes its mind")
  }).pipe(sql.withTransaction, Effect.ignore)
  const tickets = yield* sql`SELECT id FROM tickets`
  yield* Console.log(`rolled back: ${tickets.length} tickets, ${yield* messages(wrong.id)} message`)

  // What works, even if the process dies after the send and before the row is gone.
  const right = yield* gateway.create({})
  yield* openTicket("t1", right.id, "the door sticks")
  const row = yield* sql`SELECT * FROM outbox`
  const [run] = yield* emptyOutbox
  yield* sql`INSERT INTO outbox ${sql.insert(row)}`
  const [again] = yield* emptyOutbox
  yield* Console.log(run?.runId === again?.runId ? "sent once" : "sent twice")
  if (run !== undefined) yield* Console.log(yield* Run.answer(run))
})

const models = Model.always(ScriptedModel.make([ScriptedModel.text("I will look at the door.")]))
const SkeinLive = Layer.provide(
  SkeinNode.layer({ data: "./data" }),
  Agents.layer({ models, policy: Permissions.askToWrite })
)

NodeRuntime.runMain(program.pipe(Effect.provide([SkeinLive, SqliteClient.layer({ filename: "app.db" })])))
