/** A data folder with sessions in it, and ways to damage it behind everyone's back. */
import Sqlite from "better-sqlite3"
import { Effect, Layer, Stream } from "effect"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Doctor from "../../../../src/adapters/sqlite/doctor/Doctor.js"
import { isDamage, type Outcome } from "../../../../src/services/storage/sql/doctor/Finding.js"
import * as Findings from "../../../../src/adapters/cli/texts/Findings.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as SkeinNode from "../../../../src/adapters/node/SkeinNode.js"
import { CallId, type Message, userText } from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { unknown } from "../../../../src/domain/Usage.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import * as Agents from "../../../../src/services/Agents.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import * as Golden from "../../../support/golden/Golden.js"
import { lastingFolder } from "../../services/storage/disk.js"

/** An engine on a data folder. */
export const engineOn = (data: string) =>
  // Nothing goes on by itself: the tests decide what does, and in which order.
  SkeinNode.layer({ data, synchronous: "NORMAL", recoverMillis: null }).pipe(
    Layer.provide(Agents.layer({ models: ScriptedModel.models, policy: Permissions.askToWrite })),
    Layer.provideMerge(ScriptedModel.layer)
  )

export const one = SessionId.make("one")
export const two = SessionId.make("two")

const assistant = (text: string, ...calls: ReadonlyArray<string>): Message => ({
  role: "assistant",
  parts: [
    { type: "text", text },
    ...calls.map((callId) => ({ type: "call" as const, callId: CallId.make(callId), name: "read", input: "{}" }))
  ],
  model: { provider: "script", model: "m" },
  finish: calls.length === 0 ? "stop" : "tool-calls",
  usage: unknown
})

const result = (callId: string): Message => ({
  role: "tool",
  callId: CallId.make(callId),
  name: "read",
  outcome: "success",
  text: `the text of ${callId}`
})

/** Places 1 to 6 of session `one`. */
export const transcript: ReadonlyArray<Message> = [
  userText("first question"),
  assistant("let me look", "c1", "c2"),
  result("c1"),
  result("c2"),
  assistant("first answer"),
  userText("second question")
]

export const assetText = "the content of an asset"

/** Creates session `one` with `transcript`, a run and an asset, and session `two` with a message. */
export const populate = (data: string) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const model = yield* ScriptedModel.ScriptedModel
    for (const id of [one, two]) yield* gateway.create({ id, title: id, workdir: "/" })
    yield* gateway.append(one, transcript)
    yield* gateway.append(two, [userText("a message of two")])
    yield* model.play({ text: "the answer of a run" })
    const run = yield* gateway.send({ sessionId: two, text: "go" })
    yield* gateway.await(run)
    return yield* gateway.saveAsset({
      sessionId: one,
      name: "a.txt",
      mediaType: "text/plain",
      content: Stream.make(new TextEncoder().encode(assetText))
    })
  }).pipe(Effect.provide(engineOn(data)))

const makeBase = async () => {
  const from = join(lastingFolder(), "data")
  return { from, asset: await Effect.runPromise(populate(from)) }
}

let base: ReturnType<typeof makeBase> | undefined

/** Makes a copy of what `populate` made once. */
export const populated = (data: string) =>
  Effect.promise(async () => {
    const { asset, from } = await (base ??= makeBase())
    Golden.copy(from, data)
    return asset
  })

export const databaseIn = (data: string): string => join(data, "skein.db")

/** Runs statements on the database that no engine would run. */
export const tamper = (data: string, ...statements: ReadonlyArray<string>): void => {
  const connection = new Sqlite(databaseIn(data))
  connection.pragma("foreign_keys = OFF")
  for (const statement of statements) connection.exec(statement)
  connection.close()
}

/** The path of the only asset's file. */
export const assetFile = (data: string): string => {
  const folder = join(data, "assets", one)
  return join(folder, readdirSync(folder)[0] ?? "")
}

export const look = (data: string) => Effect.provide(Doctor.look(data), Identity.layer)
export const repair = (data: string) => Effect.provide(Doctor.repair(data), Identity.layer)

/** Where there is damage, and of which kind. */
export const damages = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> =>
  outcomes.filter(isDamage).map(({ finding }) => `${Findings.where(finding.ids)}: ${finding.kind}`)

/** Overwrites a page with bytes that make no sense. Pages are numbered from 1. */
export const spoil = (path: string, page: number) => {
  const bytes = readFileSync(path)
  bytes.fill(0xa5, (page - 1) * 4096, page * 4096)
  writeFileSync(path, bytes)
}
