/**
 * The users of the engines: they send, cancel, rename, answer, upload, watch, delete, and give up half-way. Each
 * records what was acknowledged and announced to it; these records are compared with storage, both immediately and at
 * the end.
 */
import { Effect, Either, Fiber, Stream } from "effect"
import { textOf, userText } from "../../../src/domain/Message.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import type { Watcher, World } from "./World.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import type { KnownSession, Process } from "../../support/verdicts/KnownSession.js"

/** The errors that any request may get here; any other error is a bug in the engine. */
const expected = new Set([
  "SessionNotFound",
  "SessionDeleting",
  "SessionBusy",
  "RunNotFound",
  "QuestionNotFound",
  "QuestionAnswered",
  "AppendRefused",
  "AssetNotFound",
  "AssetFailed",
  "CursorGone",
  "StorageFailed",
  "StorageBusy",
  "OutcomeUnknown"
])

const attempt = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.either(effect), (either) => {
    if (Either.isLeft(either) && !expected.has(either.left._tag)) broken("errors", either.left._tag)
    return either
  })

const isGone = (error: { readonly _tag: string }): boolean =>
  error._tag === "SessionNotFound" || error._tag === "SessionDeleting"

const pause = (world: World, most = 200) => Effect.suspend(() => Effect.sleep(world.random.below(most)))

const mustBeThere = (session: KnownSession, error: { readonly _tag: string }): void => {
  if (isGone(error) && session.deletion === "none") broken("P11", `${session.id} is gone although nobody deleted it`)
}

const sender = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    for (let round = 1 + world.random.below(3); round > 0; round--) {
      yield* pause(world)
      const text = `message ${world.next()}`
      const idempotencyKey = world.random.chance(0.5) ? { idempotencyKey: `key ${text}` } : {}
      const send = process.gateway.send({
        sessionId: session.id,
        text,
        whenBusy: world.random.pick(["refuse", "queue"]),
        ...idempotencyKey
      })
      const answer = yield* attempt(send)
      if (Either.isLeft(answer)) mustBeThere(session, answer.left)
      else {
        const ref = answer.right
        session.sent.set(ref.runId, { ref, text })
        world.sentBy.set(ref.runId, process.process)
        if ("idempotencyKey" in idempotencyKey) {
          world.keyed.push({ text, runId: ref.runId })
          const again = yield* attempt(send)
          if (Either.isRight(again)) world.keyed.push({ text, runId: again.right.runId })
        }
        // The model may never answer, and neither may a user who is asked.
        if (world.random.chance(0.4)) yield* Effect.timeoutOption(attempt(process.gateway.await(ref)), 3_000)
        if (world.random.chance(0.3)) yield* attempt(process.gateway.cancel(ref.runId))
      }
    }
  })

/** Resumes runs of messages that were sent under a key, or the newest run. */
const resumer = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    for (let round = 3 + world.random.below(5); round > 0; round--) {
      yield* pause(world, 500)
      const keyed = world.keyed.filter(({ runId }) => session.sent.has(runId))
      if (keyed.length === 0 || world.random.chance(0.2)) {
        yield* attempt(process.gateway.resume(session.id))
        continue
      }
      const { runId, text } = world.random.pick(keyed)
      const of = world.random.chance(0.7) ? { idempotencyKey: `key ${text}` } : { runId }
      const resumed = yield* attempt(process.gateway.resume(session.id, of))
      if (Either.isLeft(resumed)) continue
      if (resumed.right.runId !== runId) world.note("a run resumed by its key")
      world.keyed.push({ text, runId: resumed.right.runId })
    }
  })

/**
 * A client whose engine has left returns through another one, and resumes the run of each message that was sent under a
 * key.
 */
export const returner = (world: World, process: Process, session: KnownSession) =>
  Effect.forEach(
    [...new Set(world.keyed.filter(({ runId }) => session.sent.has(runId)).map(({ text }) => text))],
    (text) =>
      Effect.gen(function* () {
        const resumed = yield* attempt(process.gateway.resume(session.id, { idempotencyKey: `key ${text}` }))
        if (Either.isRight(resumed)) world.keyed.push({ text, runId: resumed.right.runId })
      }),
    { discard: true }
  )

/** Recovers sessions whose runs were left behind. */
const recoverer = (world: World, process: Process) =>
  Effect.gen(function* () {
    for (let round = 3 + world.random.below(3); round > 0; round--) {
      yield* pause(world, 600)
      const taken = yield* attempt(process.gateway.recover({ limit: 1 + world.random.below(3) }))
      if (Either.isRight(taken) && taken.right.length > 0) world.note("sessions recovered")
    }
  })

/** Appends one or two messages under a key, again and again until it is answered, and then once more. */
const appender = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    for (let round = 1 + world.random.below(2); round > 0; round--) {
      yield* pause(world, 500)
      const key = `appended ${world.next()}`
      const texts = Array.from({ length: 1 + world.random.below(2) }, (_, n) => `${key} ${n}`)
      for (const text of texts) world.appended.set(text, { sessionId: session.id, seq: null })
      let answers = 0
      for (let round = 0; round < 6 && answers < 2; round++) {
        const answer = yield* attempt(process.gateway.append(session.id, texts.map(userText), key))
        if (Either.isLeft(answer)) {
          mustBeThere(session, answer.left)
          yield* pause(world, 300)
          continue
        }
        if (++answers === 2) world.note("messages appended again under their key")
        answer.right.forEach(({ message, seq }, place) => {
          const text = texts[place] ?? broken("P5", `${key} got ${answer.right.length} places`)
          const before = world.appended.get(text)?.seq ?? seq
          if (textOf(message) !== text || before !== seq) broken("P5", `${text} is at ${before}, then at ${seq}`)
          world.appended.set(text, { sessionId: session.id, seq })
        })
      }
    }
  })

const administrator = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    for (let round = world.random.below(5); round > 0; round--) {
      yield* pause(world)
      const title = `title ${world.next()}`
      session.title.pending = title
      const renamed = yield* attempt(process.gateway.patch({ sessionId: session.id, title }))
      if (Either.isRight(renamed)) session.title = { acknowledged: title, pending: null }
      else mustBeThere(session, renamed.left)
      if (Either.isRight(renamed) && renamed.right.title !== title) broken("P7", "a rename returned another title")
      yield* attempt(process.gateway.patch({ sessionId: session.id, model: { provider: "dice", model: title } }))
    }
  })

const answerer = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    for (let round = 0; round < 30; round++) {
      yield* pause(world, 150)
      const questions = yield* attempt(process.gateway.questions({ sessionId: session.id }))
      if (Either.isLeft(questions)) return
      for (const { id } of questions.right) {
        if (world.random.chance(0.7)) {
          yield* attempt(
            process.gateway.answer({
              questionId: id,
              verdict: world.random.pick(["allow-once", "allow-for-session", "deny"]),
              by: "dice"
            })
          )
        }
      }
    }
  })

/** Takes a snapshot of the session now and then, and records what it was shown. */
const visitor = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    for (let round = 0; round < 12; round++) {
      yield* pause(world, 120)
      const shown = yield* attempt(process.gateway.snapshot(session.id))
      if (Either.isLeft(shown)) return mustBeThere(session, shown.left)
      const { batch, cursor, queued, questions, run } = shown.right
      if (batch.calls.length > 0) world.note("a snapshot of an open batch")
      world.snapshots.push({
        sessionId: session.id,
        cursor,
        calls: batch.calls.map(({ callId }) => callId),
        places: batch.stored.map(({ seq }) => seq),
        questions: questions.map(({ id }) => id),
        runs: [...(run === null ? [] : [run.run.id]), ...queued.map(({ id }) => id)]
      })
    }
  })

const uploader = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    for (let round = world.random.below(3); round > 0; round--) {
      yield* pause(world)
      const content = Stream.range(1, 1 + world.random.below(4)).pipe(
        Stream.tap(() => pause(world, 60)),
        Stream.map((n) => new Uint8Array(n * 10))
      )
      const saving = attempt(
        process.gateway.saveAsset({ sessionId: session.id, mediaType: "application/octet-stream", content })
      )
      if (world.random.chance(0.3)) yield* Effect.timeoutOption(saving, world.random.below(100))
      else {
        const saved = yield* saving
        if (Either.isRight(saved) && world.random.chance(0.3)) {
          yield* attempt(process.gateway.deleteAsset(session.id, saved.right.id))
        }
      }
    }
  })

/** Checks that what was announced is stored, at the moment of the announcement. */
const seenMeansStored = (process: Process, event: SessionEvent.OfType<"call.finished">, session: KnownSession) =>
  Effect.gen(function* () {
    // In this order, because a result may meanwhile move from the batch into the transcript, but never back.
    const batch = yield* Effect.either(process.reader.openBatch(session.id))
    const entries = yield* Effect.either(
      Stream.runCollect(process.reader.transcript({ sessionId: session.id, from: event.seq, to: event.seq }))
    )
    if (Either.isLeft(entries) || Either.isLeft(batch)) return
    const stored = [...entries.right, ...batch.right.stored].find(({ seq }) => seq === event.seq)
    if (stored?.message.role !== "tool" || stored.message.callId !== event.callId) {
      broken("P2", `${event.callId} was announced but is not stored`)
    }
  })

/** Watches the session, slowly at times; its events must have no gap and no duplicate. */
const watcher = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    yield* pause(world)
    let last: number | null = null
    const text = new Map<string, number>()
    const seen: Watcher = { sessionId: session.id, process: process.process, cursor: 0 }
    world.watchers.push(seen)
    yield* process.gateway.events({ sessionId: session.id }).pipe(
      Stream.tap((event) =>
        Effect.gen(function* () {
          if (world.random.chance(0.05)) yield* pause(world)
          if (SessionEvent.isDurable(event)) {
            if (last !== null && event.cursor !== last + 1) broken("P10", `cursor ${event.cursor} came after ${last}`)
            last = event.cursor
          } else if (event.after !== (last ?? event.after)) {
            broken("events", `a delta follows ${event.after}, the watcher is at ${last}`)
          }
          if (event.type === "text.delta") {
            const before = text.get(event.runId) ?? 0
            if (event.offset !== 0 && event.offset !== before)
              broken("deltas", `offset ${event.offset} after ${before}`)
            text.set(event.runId, event.offset + event.text.length)
          }
          if (event.type === "call.finished") yield* seenMeansStored(process, event, session)
          seen.cursor = last ?? 0
        })
      ),
      Stream.runDrain,
      attempt,
      Effect.ensuring(Effect.sync(() => world.watchers.splice(world.watchers.indexOf(seen), 1)))
    )
  })

const deleter = (world: World, process: Process, session: KnownSession) =>
  Effect.gen(function* () {
    yield* Effect.sleep(200 + world.random.below(800))
    session.deletion = "asked"
    const deleted = yield* attempt(process.gateway.delete(session.id))
    if (Either.isRight(deleted)) session.deletion = "done"
    if (session.deletion !== "done") return
    const after = yield* Effect.either(process.gateway.session(session.id))
    if (Either.isRight(after)) broken("P11", `${session.id} was deleted but can be read`)
  })

const content = (bytes: number) => Stream.make(new Uint8Array(bytes))

const save = (process: Process, sessionId: SessionId, bytes: number) =>
  Effect.either(
    process.gateway.saveAsset({ sessionId, mediaType: "application/octet-stream", content: content(bytes) })
  )

/** One process deletes a session with a file, while another creates it again, with a file that must stay. */
export const succession = (world: World, before: Process, after: Process) => {
  const id = SessionId.make("made-again")
  let stage: "none" | "deleting" | "over" = "none"
  const deletes = Effect.gen(function* () {
    yield* Effect.ignore(before.gateway.create({ id, workdir: "/" }))
    yield* save(before, id, 10)
    yield* pause(world)
    stage = "deleting"
    yield* Effect.ignore(before.gateway.delete(id))
    stage = "over"
  })
  const makesAgain = Effect.gen(function* () {
    while (stage === "none" && world.scheduler.isAlive(before.process)) yield* pause(world, 40)
    for (let round = 0; round < 40; round++) {
      const created = yield* Effect.either(after.gateway.create({ id, workdir: "/" }))
      if (Either.isRight(created)) break
      yield* pause(world, 20)
    }
    const saved = yield* save(after, id, 20)
    if (Either.isLeft(saved)) return
    while (stage === "deleting" && world.scheduler.isAlive(before.process)) yield* pause(world, 40)
    const there = yield* Effect.either(after.gateway.session(id))
    if (Either.isLeft(there)) return
    const read = after.gateway.openAsset({ sessionId: id, assetId: saved.right.id })
    const size = yield* Effect.either(Stream.runFold(read, 0, (sum, bytes) => sum + bytes.length))
    if (Either.isLeft(size) || size.right !== 20)
      broken("P11", `${saved.right.id} was deleted with an earlier session of the same id`)
    world.note("a session deleted by one engine and created again by another")
  })
  return [[before, deletes] as const, [after, makesAgain] as const]
}

/** Starts an actor and interrupts it after a while. */
const impatient = (world: World, actor: Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(actor)
    yield* pause(world, 300)
    yield* Fiber.interrupt(fiber)
  })

/** All actors that use one session through one process; they end by themselves. */
export const cast = (world: World, process: Process, session: KnownSession): ReadonlyArray<Effect.Effect<unknown>> => {
  const { chance } = world.random
  return [
    sender(world, process, session),
    administrator(world, process, session),
    answerer(world, process, session),
    uploader(world, process, session),
    visitor(world, process, session),
    ...(chance(0.5) ? [resumer(world, process, session)] : []),
    ...(chance(0.4) ? [appender(world, process, session)] : []),
    ...(chance(0.2) ? [recoverer(world, process)] : []),
    ...(chance(0.5) ? [impatient(world, sender(world, process, session))] : []),
    ...(chance(0.3) ? [impatient(world, uploader(world, process, session))] : []),
    ...(chance(0.25) ? [deleter(world, process, session)] : [])
  ]
}

/** Actors that use the session through another process. */
export const guests = (
  world: World,
  process: Process,
  session: KnownSession
): ReadonlyArray<Effect.Effect<unknown>> => {
  const { chance } = world.random
  return [
    sender(world, process, session),
    answerer(world, process, session),
    ...(chance(0.6) ? [resumer(world, process, session)] : []),
    ...(chance(0.4) ? [appender(world, process, session)] : []),
    ...(chance(0.4) ? [recoverer(world, process)] : [])
  ]
}

/** Actors that watch until the session or the world ends. */
export const watchers = (
  world: World,
  process: Process,
  session: KnownSession
): ReadonlyArray<Effect.Effect<unknown>> =>
  Array.from({ length: 1 + world.random.below(2) }, () => watcher(world, process, session))
