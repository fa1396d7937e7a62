/**
 * The body of a program that serves a storage to the tests across processes. It reads tasks line by line, and reports
 * each thing after the storage has acknowledged it. A pipe keeps the reports when the program is killed.
 */
import { Effect, type Layer, type ParseResult, Schema } from "effect"
import { createInterface } from "node:readline"
import { userText } from "../../../domain/Message.js"
import {
  type AdmissionOutcome,
  type Service,
  Storage,
  type TakeoverOutcome
} from "../../../services/storage/Storage.js"
import { admission, checked, presence, result, takeover } from "./fixture.js"
import type { TestedServices } from "./StorageTest.js"
import { type Report, ReportLine, type Task, TaskLine } from "./Task.js"

const tell = (report: Report): Effect.Effect<void> =>
  Effect.sync(() => void process.stdout.write(`${Schema.encodeSync(ReportLine)(report)}\n`))

const acknowledge = (what: string) => tell({ _tag: "Acknowledged", what })

const answered = (outcome: AdmissionOutcome | TakeoverOutcome) =>
  tell({ _tag: "Answered", outcome: outcome._tag, lease: "lease" in outcome ? outcome.lease : null })

const perform = (storage: Service, task: Task): Effect.Effect<void, { readonly _tag: string }> => {
  switch (task._tag) {
    case "Append": {
      const names = Array.from({ length: task.times }, (_, index) => `${task.name} ${index + 1}`)
      return Effect.forEach(
        names,
        (name) => Effect.zipRight(storage.append(task.sessionId, [checked(userText(name))]), acknowledge(name)),
        { discard: true }
      )
    }
    case "Rename":
      return Effect.zipRight(storage.patch(task.sessionId, { title: task.title }), acknowledge(task.title))
    case "Admit": {
      const { engine, key, runId, sessionId } = task
      const admitted = admission({
        sessionId,
        runId,
        idempotencyKey: key,
        presence: presence(engine)
      })
      return Effect.flatMap(storage.admit(admitted), answered)
    }
    case "TakeOver": {
      const { count, engine, lease } = task
      return Effect.flatMap(storage.takeOver(takeover(lease, count), presence(engine)), answered)
    }
    case "Complete":
      return Effect.forEach(
        task.calls,
        ({ callId, seq }) =>
          storage
            .startCall(task.lease, seq)
            .pipe(
              Effect.zipRight(storage.storeResult(task.lease, seq, checked(result(callId)))),
              Effect.zipRight(acknowledge(callId))
            ),
        { discard: true }
      )
  }
}

/** Opens the storage and serves it until its stdin ends. Nothing else may write to its stdout. */
export const serve = <E>(layer: Layer.Layer<TestedServices, E>): Effect.Effect<void, E | ParseResult.ParseError> =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
    yield* tell({ _tag: "Ready" })
    for (;;) {
      const line = yield* Effect.promise(() => lines.next())
      if (line.done === true) return
      const task = yield* Schema.decode(TaskLine)(line.value)
      yield* Effect.catchAll(perform(storage, task), ({ _tag }) => tell({ _tag: "Refused", error: _tag }))
      yield* tell({ _tag: "Done" })
    }
  }).pipe(Effect.provide(layer))
