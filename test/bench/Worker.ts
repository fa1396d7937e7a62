/**
 * The benchmark's other processes: the same program, started with `worker`. A worker prints `ready` when it is open,
 * does its work on the first line of its stdin, and prints what the work took.
 */
import Sqlite from "better-sqlite3"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, Layer, Logger, LogLevel, ManagedRuntime, Option, Schema, Stream } from "effect"
import * as SkeinNode from "../../src/adapters/node/SkeinNode.js"
import { Agents, Gateway, Message, Model, Permissions, Session } from "../../src/index.js"
import * as ScriptedModel from "../../src/services/ScriptedModel.js"
import * as Measure from "./Measure.js"

const text = "The quick brown fox jumps over the lazy dog. ".repeat(22)

/**
 * `ours` and `raw` append and read after every tenth append, `trickle` pauses between appends, `hang` has a run that
 * never ends.
 */
const Work = Schema.Struct({
  kind: Schema.Literal("ours", "raw", "hang", "trickle"),
  folder: Schema.String,
  session: Schema.String,
  count: Schema.Int
})
type Work = typeof Work.Type

export const engineOn = (data: string) =>
  SkeinNode.layer({ data, limits: { assetBytes: 2 ** 31 } }).pipe(
    Layer.provide(
      Agents.layer({ models: Model.always(ScriptedModel.make([ScriptedModel.hang])), policy: Permissions.askToWrite })
    ),
    Layer.provideMerge(Logger.minimumLogLevel(LogLevel.Warning))
  )

const go = async (): Promise<void> => {
  process.stdout.write("ready\n")
  await once(process.stdin, "data")
  // An open stdin would keep this process alive forever, and with it the process that waits for its end.
  process.stdin.destroy()
}

/** Does the work, and prints what it took. */
const report = async (work: () => Promise<unknown> | void): Promise<void> => {
  const { cpu, millis } = await Measure.spent(work)
  process.stdout.write(`${JSON.stringify({ cpu, millis })}\n`)
}

const Spent = Schema.parseJson(Schema.Struct({ cpu: Schema.Number, millis: Schema.Number }))

const parse = (body: string): unknown => JSON.parse(body)

/** As one would write it by hand: the binding's own busy wait, one commit per message. */
const raw = async ({ count, folder, session }: Work): Promise<void> => {
  const database = new Sqlite(join(folder, "raw.db"), { timeout: 60_000 })
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec("CREATE TABLE IF NOT EXISTS messages (session TEXT, seq INTEGER, body TEXT, UNIQUE (session, seq))")
  const insert = database.prepare("INSERT INTO messages (session, seq, body) VALUES (?, ?, ?)")
  const read = database.prepare<[string, number], { readonly body: string }>(
    "SELECT body FROM messages WHERE session = ? AND seq > ? ORDER BY seq"
  )
  const body = JSON.stringify(Message.userText(text))
  await go()
  await report(() => {
    for (let seq = 1; seq <= count; seq++) {
      database.transaction(() => insert.run(session, seq, body)).immediate()
      if (seq % 10 === 0) for (const row of read.all(session, seq - 10)) parse(row.body)
    }
  })
  database.close()
}

const ours = async ({ count, folder, kind, session }: Work): Promise<void> => {
  const runtime = ManagedRuntime.make(engineOn(folder))
  const sessionId = Session.Id.make(session)
  const gateway = await runtime.runPromise(Gateway.Gateway)
  await runtime.runPromise(Effect.orDie(gateway.create({ id: sessionId, workdir: "/" })))
  await go()
  if (kind === "hang") {
    await runtime.runPromise(Effect.orDie(gateway.send({ sessionId, text: "go" })))
    process.stdout.write("running\n")
    return void (await once(process, "never"))
  }
  const append = Effect.forEach(
    Array.from({ length: count }, (_, at) => at + 1),
    (seq) =>
      Effect.gen(function* () {
        yield* gateway.append(sessionId, [Message.userText(text)])
        if (kind === "trickle") yield* Effect.sleep(5)
        else if (seq % 10 === 0)
          yield* Stream.runDrain(
            gateway.transcript({ sessionId, from: Session.Seq.make(seq - 9), to: Session.Seq.make(seq) })
          )
      }),
    { discard: true }
  )
  await report(() => runtime.runPromise(Effect.orDie(append)))
  await runtime.dispose()
}

/** The main program of a worker; `given` is its work as JSON. */
export const run = async (given: string): Promise<void> => {
  const work = Schema.decodeUnknownSync(Schema.parseJson(Work))(given)
  await (work.kind === "raw" ? raw(work) : ours(work))
}

/** Starts another process, and waits until it is ready to work. */
export const start = async (work: Work) => {
  const child = spawn(process.execPath, [process.argv[1] ?? "", "worker", JSON.stringify(work)], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const hear = async (word: string): Promise<void> => {
    const next = await lines.next()
    if (next.value !== word) throw new Error(`a worker said ${String(next.value)} and not ${word}`)
  }
  const closed = once(child, "close")
  await hear("ready")
  return {
    go: () => void child.stdin.write("go\n"),
    running: () => hear("running"),
    gone: () => closed,
    /** What the work took. */
    done: async () => Schema.decodeUnknownSync(Spent)((await lines.next()).value),
    kill: async () => {
      child.kill("SIGKILL")
      await closed
    }
  }
}

export const headOf = (gateway: Gateway.Service, session: string) =>
  Effect.map(
    Effect.option(gateway.session(Session.Id.make(session))),
    Option.match({ onNone: () => 0, onSome: ({ head }) => head })
  )
