/**
 * `skein demo`: a turn on the current folder. Only the model is scripted; the engine, the tools, the files and the data
 * folder are real. Needs no network and no key, and changes nothing in the folder. A tool that takes more than a few
 * seconds in a large folder ends with a timeout.
 */
import { Duration, Effect, Layer, Ref, Stream } from "effect"
import { opendir } from "node:fs/promises"
import { callsOf, type Entry } from "../../domain/Message.js"
import type { SessionId } from "../../domain/Session.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as Model from "../../services/Model.js"
import * as Agents from "../../services/Agents.js"
import * as Permissions from "../../services/Permissions.js"
import * as ScriptedModel from "../../services/ScriptedModel.js"
import type * as Tool from "../../services/Tool.js"
import * as WorkspaceTools from "../tools/WorkspaceTools.js"
import * as CallText from "./CallText.js"
import * as DemoReport from "./DemoReport.js"
import * as DemoScript from "./DemoScript.js"
import * as Engine from "./Engine.js"
import * as Follow from "./Follow.js"
import * as Place from "./Place.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Demo.js"

const mostEntries = 1000

/** Names of some regular files in a folder, in the system's order. None when it cannot be read: the tools report that. */
const filesIn = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.tryPromise(async () => {
    const names: Array<string> = []
    let entries = 0
    for await (const entry of await opendir(folder)) {
      if (++entries > mostEntries) break
      if (entry.isFile()) names.push(entry.name)
    }
    return names
  }).pipe(Effect.orElseSucceed(() => []))

const bounded = <T extends Tool.Any>(tool: T): T => ({ ...tool, timeout: Duration.seconds(5) })

const layer = (names: ReadonlyArray<string>, place: Place.Place) => {
  const [read, list, glob, grep] = WorkspaceTools.readOnly
  const agent = Agents.layer({
    name: "demo",
    models: Model.always(ScriptedModel.make(DemoScript.make(names), "demo")),
    tools: [bounded(read), bounded(list), bounded(glob), bounded(grep)],
    policy: Permissions.readOnly(Texts.readOnly)
  })
  return Layer.provide(Engine.layer(place), agent)
}

/** The results in the transcript's order, read from storage. */
const storedOrder = (entries: ReadonlyArray<Entry>) => {
  const summaries = new Map(
    entries.flatMap(({ message }) =>
      callsOf(message).map(({ callId, input, name }) => [callId, CallText.summary(name, input)] as const)
    )
  )
  return entries.flatMap(({ message, seq }) =>
    message.role === "tool"
      ? [{ seq, callId: message.callId, summary: summaries.get(message.callId) ?? message.name }]
      : []
  )
}

const report = Effect.fn("Demo.report")(function* (sessionId: SessionId, finished: ReadonlyArray<string>) {
  const screen = yield* Screen
  const entries = yield* Stream.runCollect((yield* Gateway).transcript({ sessionId }))
  const stored = storedOrder([...entries])
  const inOrder = finished.flatMap((callId) => stored.filter((call) => call.callId === callId))
  yield* screen.write(DemoReport.render(screen.ansi, yield* screen.columns, { finished: inOrder, stored }))
})

export const run = Effect.fn("Demo.run")(function* (given: Place.Given) {
  const workdir = process.cwd()
  const screen = yield* Screen
  const place = yield* Place.of(given)
  const names = yield* filesIn(workdir)
  yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const { id } = yield* gateway.create({ workdir, title: Texts.title, ...Place.ofNewSession(place) })
    const finished = yield* Ref.make<ReadonlyArray<string>>([])
    const onEvent = (event: SessionEvent) =>
      event.type === "call.finished" ? Ref.update(finished, (before) => [...before, event.callId]) : Effect.void
    const start = gateway.send({ sessionId: id, text: Texts.question })
    yield* Follow.run(start, { isJson: false, answerer: "nobody", onEvent })
    yield* report(id, yield* Ref.get(finished))
    yield* screen.write(`${TerminalText.line(Texts.stored(id, `skein sessions show ${id}${place.options}`))}\n`)
  }).pipe(Effect.provide(layer(names, place)))
})
