/** What must hold between what clients were shown and what was stored, at that time and later. */
import { Effect, Either } from "effect"
import { type Entry, textOf } from "../../../src/domain/Message.js"
import type { RunId } from "../../../src/domain/Run.js"
import type { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import type { KnownSession, Process } from "../../support/verdicts/KnownSession.js"
import type { SeenSnapshot, World } from "./World.js"

/**
 * Waits at most `seconds` seconds until `holds`. In small steps, because the clock may jump to the next timer at any
 * moment.
 */
export const eventually = <E>(holds: Effect.Effect<boolean, E>, seconds: number): Effect.Effect<boolean, E> =>
  Effect.gen(function* () {
    for (let tenth = 0; tenth < seconds * 10; tenth++) {
      if (yield* holds) return true
      yield* Effect.sleep(100)
    }
    return yield* holds
  })

/** Queued runs of a living process that no living engine keeps waiting. */
const abandoned = ({ scheduler, sentBy }: World, { reader }: Process, sessionId: SessionId) =>
  Effect.map(Effect.either(reader.activity(sessionId)), (activity) => {
    if (Either.isLeft(activity)) return []
    const { holder, queued } = activity.right
    const engine = holder._tag === "Some" ? holder.value.engine : null
    if (engine !== null && scheduler.isAlive(engine.instance)) return []
    return queued.filter(({ id }) => {
      const sender = sentBy.get(id)
      return sender !== undefined && scheduler.isAlive(sender)
    })
  })

/**
 * Whether runs that another process queued are still waiting for the run of a process that was just killed or closed.
 */
export const hasAbandoned = (world: World, process: Process, sessionId: SessionId) =>
  Effect.map(abandoned(world, process, sessionId), (runs) => runs.length > 0)

/**
 * A queued run gets its turn even if the engine before it is dead and nobody waits for it. If it is behind a run that
 * was left too long ago, a person resumes that run.
 */
export const queueMoves = (world: World, process: Process, { deletion, id }: KnownSession) =>
  Effect.gen(function* () {
    if (deletion !== "none") return
    if (world.recovery.continueWithinMillis < 1_000) yield* Effect.ignore(process.gateway.resume(id))
    const isFree = Effect.map(hasAbandoned(world, process, id), (has) => !has)
    if (!(yield* eventually(isFree, 20))) broken("P9", `a run is queued in ${id}, and no engine starts it`)
  })

/**
 * A client that goes on from a snapshot's cursor is told about the end of everything that the snapshot shows as going
 * on.
 */
export const snapshotGoesOn = (
  { calls, cursor, places, questions, runs, sessionId }: SeenSnapshot,
  events: ReadonlyArray<SessionEvent.Durable>
): void => {
  const later = events.filter((event) => event.cursor > cursor)
  const expectLater = (what: string, isTold: (event: SessionEvent.Durable) => boolean) => {
    if (!later.some(isTold))
      broken("P10", `${sessionId} at ${cursor} shows ${what}, and no later event reports its end`)
  }
  for (const callId of calls) {
    expectLater(callId, (event) => SessionEvent.is("call.finished")(event) && event.callId === callId)
  }
  for (const seq of places) {
    expectLater(`place ${seq}`, (event) => SessionEvent.is("message.appended")(event) && event.seq === seq)
  }
  for (const questionId of questions) {
    expectLater(questionId, (event) => SessionEvent.is("permission.answered")(event) && event.questionId === questionId)
  }
  for (const runId of runs) {
    expectLater(runId, (event) => SessionEvent.is("run.ended")(event) && event.runId === runId)
  }
}

/** Each watcher hears about everything that is stored, whichever process stored it. */
export const watchersCatchUp = ({ scheduler, watchers }: World, { gateway }: Process, { id }: KnownSession) =>
  Effect.gen(function* () {
    const { cursor } = yield* gateway.session(id)
    const isBehind = (watcher: World["watchers"][number]) =>
      watcher.sessionId === id && scheduler.isAlive(watcher.process) && watcher.cursor < cursor
    if (
      !(yield* eventually(
        Effect.sync(() => !watchers.some(isBehind)),
        10
      ))
    ) {
      broken(
        "P10",
        `${id} is at ${cursor}, but watchers are still at ${watchers
          .filter(isBehind)
          .map((one) => one.cursor)
          .join()}`
      )
    }
  })

/** What was stored in a session does not change, whatever engines come and go. */
export const staysAsItWas = (before: ReadonlyArray<Entry>, entries: ReadonlyArray<Entry>): void => {
  const textOfEntry = (entry: Entry | undefined) => JSON.stringify(entry)
  const changed = before.find((entry, place) => textOfEntry(entry) !== textOfEntry(entries[place]))
  if (changed !== undefined) broken("P1", `place ${changed.seq} has changed since an engine left`)
}

/**
 * Each key belongs to its message alone; a message that was appended under a key is there once, in the place that was
 * reported.
 */
export const keysAreKept = (world: World, { id, sent }: KnownSession, entries: ReadonlyArray<Entry>): void => {
  for (const { runId, text } of world.keyed) {
    const other = sent.get(runId)?.text ?? text
    if (other !== text) broken("P5", `the key of ${text} was answered with the run of ${other}`)
  }
  for (const [text, { seq, sessionId }] of world.appended) {
    if (sessionId !== id) continue
    const places = entries.flatMap(({ message, seq }) => (textOf(message) === text ? [seq] : []))
    if (places.length > 1 || (seq !== null && places[0] !== seq)) {
      broken("P5", `${text} was reported at ${seq}, but is at ${places.join()}`)
    }
  }
}

/** Counts the runs that were released, and those of them that went on. */
export const noteReleases = ({ note }: World, events: ReadonlyArray<SessionEvent.Durable>): void => {
  const released = new Set<RunId>()
  for (const event of events) {
    if (SessionEvent.is("run.released")(event)) {
      note("a run released")
      released.add(event.runId)
    } else if (SessionEvent.is("message.appended")(event) && event.role === "assistant" && event.runId !== null) {
      if (released.delete(event.runId)) note("a run continued by another engine")
    }
  }
}
