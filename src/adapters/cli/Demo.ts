/**
 * What `skein demo` does: a turn on the current folder, with nothing made up but the model. The engine, the tools, the
 * files and the data folder are the real ones; it needs no network and no key, and changes nothing in the folder. Tools
 * that take long in a large folder are given up after a few seconds, and say so.
 */
import { Duration, Effect, Layer, Option, Ref, Stream } from "effect"
import { opendir } from "node:fs/promises"
import { callsOf, type Entry } from "../../domain/Message.js"
import type { SessionId } from "../../domain/Session.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as Model from "../../services/Model.js"
import * as Permissions from "../../services/Permissions.js"
import * as ScriptedModel from "../../services/ScriptedModel.js"
import type * as Tool from "../../services/Tool.js"
import * as Toolbox from "../../services/Toolbox.js"
import * as WorkspaceTools from "../tools/WorkspaceTools.js"
import * as CallText from "./CallText.js"
import * as DemoReport from "./DemoReport.js"
import * as DemoScript from "./DemoScript.js"
import * as Engine from "./Engine.js"
import * as Follow from "./Follow.js"
import { Screen } from "./terminal/Screen.js"

const mostEntries = 1000

/** Names of regular files in a folder, the first that the system gives. None when it cannot be read: the tools will say. */
const filesIn = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.tryPromise(async () => {
    const names: Array<string> = []
    let seen = 0
    for await (const entry of await opendir(folder)) {
      if (++seen > mostEntries) break
      if (entry.isFile()) names.push(entry.name)
    }
    return names
  }).pipe(Effect.orElseSucceed(() => []))

const bounded = <T extends Tool.Any>(tool: T): T => ({ ...tool, timeout: Duration.seconds(5) })

const layer = (names: ReadonlyArray<string>, data: Option.Option<string>) => {
  const [read, list, glob, grep] = WorkspaceTools.readOnly
  return Layer.provide(Engine.layer(data), [
    Model.layer(ScriptedModel.make(DemoScript.make(names), "demo")),
    Toolbox.layer(bounded(read), bounded(list), bounded(glob), bounded(grep)),
    Permissions.layerReadOnly("the demonstration changes nothing")
  ])
}

/** The results as the transcript has them, read back from storage. */
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
  yield* screen.write(DemoReport.render(screen.ansi, { finished: inOrder, stored }))
})

const quoted = (text: string): string => (/^[\w./:@=-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

export const run = Effect.fn("Demo.run")(function* ({ data }: { readonly data: Option.Option<string> }) {
  const workdir = process.cwd()
  const screen = yield* Screen
  const names = yield* filesIn(workdir)
  yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const { id } = yield* gateway.create({ workdir, title: "skein demo" })
    const finished = yield* Ref.make<ReadonlyArray<string>>([])
    const onEvent = (event: SessionEvent) =>
      event.type === "call.finished" ? Ref.update(finished, (before) => [...before, event.callId]) : Effect.void
    const start = gateway.send({ sessionId: id, text: "What is in this folder?" })
    yield* Follow.run(start, { isJson: false, answerer: "nobody", onEvent })
    yield* report(id, yield* Ref.get(finished))
    const place = Option.match(data, { onNone: () => "", onSome: (folder) => ` --data ${quoted(folder)}` })
    yield* screen.write(`It is kept as session ${id}: skein sessions show ${id}${place}\n`)
  }).pipe(Effect.provide(layer(names, data)))
})
