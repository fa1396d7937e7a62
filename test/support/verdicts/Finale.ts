/** The end of a simulation: everything is brought to rest through one engine, then compared with what is known. */
import { Chunk, Effect, Either, Stream } from "effect"
import { type Entry, textOf } from "../../../src/domain/Message.js"
import type { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import * as Transcript from "../../../src/domain/Transcript.js"
import * as View from "../../../src/domain/View.js"
import { complaints } from "./providerRules.js"
import { broken } from "./BrokenPromise.js"
import type { KnownSession, Process } from "./KnownSession.js"

/** Answers questions and cancels runs until nothing runs. A run is cancelled by the process that has it. */
export const rest = (process: Process, living: ReadonlyArray<Process>, session: KnownSession) =>
  Effect.gen(function* () {
    const { gateway } = process
    for (let round = 0; round < 200; round++) {
      if (session.deletion === "asked") {
        const deleted = yield* Effect.either(gateway.delete(session.id))
        if (Either.isRight(deleted) || deleted.left._tag === "SessionNotFound") session.deletion = "done"
      }
      const snapshot = yield* Effect.either(gateway.snapshot(session.id))
      if (Either.isLeft(snapshot)) {
        if (snapshot.left._tag === "SessionNotFound" && session.deletion !== "none") return false
        if (snapshot.left._tag === "SessionNotFound") broken("P11", `${session.id} is gone`)
        continue
      }
      const { queued, questions, run } = snapshot.right
      if (run === null && queued.length === 0) return true
      for (const { id } of questions) yield* Effect.either(gateway.answer({ questionId: id, verdict: "deny" }))
      if (run !== null) {
        for (const one of living) yield* Effect.either(one.gateway.cancel(run.run.id))
      }
      for (const { id } of queued) yield* Effect.either(gateway.cancel(id))
      yield* Effect.sleep(50)
    }
    return broken("P7", `${session.id} did not come to rest`)
  })

const checkTranscript = (sessionId: SessionId, entries: ReadonlyArray<Entry>): void => {
  entries.forEach(({ seq }, place) => {
    if (seq !== place + 1) broken("P1", `${sessionId} has ${seq} at place ${place + 1}`)
  })
  if (!Transcript.isSendable(entries)) broken("P4", `${sessionId} is not sendable`)
  const [complaint] = complaints(View.make(entries, { provider: "dice", model: "dice", maxCharacters: null }))
  if (complaint !== undefined) broken("P4", `no provider takes ${sessionId}: ${complaint}`)
}

const checkEvents = (
  sessionId: SessionId,
  events: ReadonlyArray<SessionEvent.Durable>,
  entries: ReadonlyArray<Entry>
): void => {
  events.forEach(({ cursor }, place) => {
    const before = events[place - 1]
    if (before !== undefined && cursor !== before.cursor + 1)
      broken("P10", `${sessionId}: ${cursor} after ${before.cursor}`)
  })
  const appended: ReadonlyArray<number> = events.flatMap((event) =>
    SessionEvent.is("message.appended")(event) ? [event.seq] : []
  )
  if (appended.join() !== entries.map(({ seq }) => seq).join()) {
    broken("P1", `${sessionId}: messages ${entries.length}, announced ${appended.join()}`)
  }
  const finished = events.flatMap((event) => (SessionEvent.is("call.finished")(event) ? [event] : []))
  const results = entries.flatMap(({ message }) => (message.role === "tool" ? [message] : []))
  if (new Set(finished.map(({ callId }) => callId)).size !== finished.length) broken("P2", "a call finished twice")
  for (const { callId, outcome } of results) {
    if (finished.find((event) => event.callId === callId)?.outcome !== outcome) {
      broken("P2", `${callId} ended as ${outcome} and this was not announced`)
    }
  }
}

/** All durable events of a session. */
export const eventsOf = Effect.fnUntraced(function* ({ reader }: Pick<Process, "reader">, sessionId: SessionId) {
  const events: Array<SessionEvent.Durable> = []
  for (let after = 0; ;) {
    const page = yield* reader.events({ sessionId, after, limit: 500 })
    events.push(...page)
    const last = page.at(-1)
    if (last === undefined) return events
    after = last.cursor
  }
})

/** A session's whole transcript. */
export const entriesOf = ({ reader }: Pick<Process, "reader">, sessionId: SessionId) =>
  Effect.map(Stream.runCollect(reader.transcript({ sessionId })), Chunk.toReadonlyArray)

/** Compares the transcript and the events of a session at rest with each other, and returns both. */
export const record = Effect.fnUntraced(function* (process: Pick<Process, "reader">, sessionId: SessionId) {
  const entries = yield* entriesOf(process, sessionId)
  const events = yield* eventsOf(process, sessionId)
  checkTranscript(sessionId, entries)
  checkEvents(sessionId, events, entries)
  return { entries, events }
})

/** Compares a session at rest with what was acknowledged. */
export const check = (process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    const { gateway } = process
    const { entries, events } = yield* record(process, session.id)
    const { head, title } = yield* gateway.session(session.id)
    if (head !== entries.length) broken("P1", `${session.id} has its head at ${head} and ${entries.length} messages`)
    const { acknowledged, pending } = session.title
    if (acknowledged !== null && title !== acknowledged && title !== pending) {
      broken("P7", `${session.id} was named ${acknowledged} and is called ${title}`)
    }
    for (const [runId, { text }] of session.sent) {
      const run = yield* gateway.run(runId)
      if (run.state !== "ended" || run.stopReason === null) broken("P4", `${runId} has no end`)
      const times = entries.filter(({ message }) => message.role === "user" && textOf(message) === text).length
      if (times !== (run.startedAt === null ? 0 : 1)) broken("P2", `${text} was sent and is there ${times} times`)
    }
    for (const asset of yield* gateway.assets(session.id)) {
      const content = yield* Stream.runFold(
        gateway.openAsset({ sessionId: session.id, assetId: asset.id }),
        0,
        (size, bytes) => size + bytes.length
      )
      if (content !== asset.size) broken("P8", `${asset.id} has ${content} of ${asset.size} bytes`)
    }
    return { entries, events }
  })
