/**
 * The next open after a kill, in this process: what was announced is checked before anything is changed, then the user
 * goes on in every session, by resuming or by a new message, and the result is compared with what was open.
 */
import { Chunk, Context, Effect, Either, Layer, Logger, Schedule, Stream } from "effect"
import { createHash } from "node:crypto"
import * as Platform from "../../../src/adapters/node/Platform.js"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import { textOf } from "../../../src/domain/Message.js"
import type { Ref } from "../../../src/domain/Run.js"
import { Cursor, SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import * as AssetFiles from "../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../src/services/assets/Assets.js"
import * as ServicesEngine from "../../../src/services/Engine.js"
import { Gateway } from "../../../src/services/gateway/Gateway.js"
import { StorageReader } from "../../../src/services/storage/Storage.js"
import * as Finale from "../../support/verdicts/Finale.js"
import * as Patience from "../../support/verdicts/Patience.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import type { Process } from "../../support/verdicts/KnownSession.js"
import * as Dice from "../../support/verdicts/Dice.js"
import * as Engine from "./Engine.js"
import { dataOf } from "./Folders.js"
import { type Known, type Ledger, unset } from "./Ledger.js"
import * as Rows from "./Rows.js"

export type Way = "resume" | "message"

const engine = (folder: string, way: Way, breaches: Array<string>) => {
  const stage: Engine.Stage = {
    folder,
    dice: Dice.make(way === "resume" ? 1 : 2),
    calls: { least: 1, most: 1, steps: 1, behaviours: ["quick"], inOrder: true },
    cross: () => {},
    breach: (text) => void breaches.push(text)
  }
  return ServicesEngine.layer.pipe(
    Layer.provide(Assets.layer),
    Layer.provideMerge(SqliteStorage.layer),
    Layer.provide(AssetFiles.layer),
    Layer.provide(
      Platform.layer(dataOf(folder), { synchronous: "NORMAL", limits: { resultCharacters: Engine.resultCharacters } })
    ),
    Layer.provide(Engine.layer(stage)),
    Layer.provide(Logger.remove(Logger.defaultLogger)),
    Layer.fresh
  )
}

/** An event without the fields that show a current value. */
const faceOf = (event: SessionEvent.Durable): string => {
  const { model: _, title: __, ...face } = { model: null, title: "", ...event }
  return JSON.stringify(face, Object.keys(face).toSorted())
}

const checkEvents = (known: Known, events: ReadonlyArray<SessionEvent.Durable>): void => {
  const stored = new Map<number, SessionEvent.Durable>(events.map((event) => [event.cursor, event]))
  const first = events[0]?.cursor ?? 0
  for (const [cursor, seen] of known.events) {
    const found = stored.get(cursor)
    if (known.wasDeleted && cursor < first) continue
    if (found === undefined || faceOf(found) !== faceOf(seen)) {
      broken("P2", `${known.id} announced ${faceOf(seen)}, but has ${found === undefined ? "nothing" : faceOf(found)}`)
    }
  }
}

const checkValues = Effect.fnUntraced(function* ({ gateway }: Process, known: Known) {
  const { metadata, model, title } = yield* gateway.session(known.id)
  for (const [field, values] of known.values) {
    const kept = metadata[field.replace("metadata ", "")]
    const found = field === "title" ? title : field === "model" ? (model?.model ?? "") : JSON.stringify(kept ?? "")
    if (!values.has(found) && !values.has(unset)) {
      broken("P2", `${known.id} has ${field} ${found}, but may only have ${[...values].join(", ")}`)
    }
  }
})

const checkAssets = Effect.fnUntraced(function* ({ gateway }: Process, known: Known) {
  const there = new Set((yield* gateway.assets(known.id)).map(({ id }) => id))
  for (const [asset, { sha256 }] of known.saved) {
    if (known.dropped.has(asset)) continue
    if (!there.has(asset)) broken("P2", `asset ${asset} was saved but is gone`)
    const digest = createHash("sha256")
    yield* Stream.runForEach(gateway.openAsset({ sessionId: known.id, assetId: asset }), (bytes) =>
      Effect.sync(() => digest.update(bytes))
    )
    if (digest.digest("hex") !== sha256) broken("P8", `asset ${asset} differs from what was saved`)
  }
  for (const [asset, dropped] of known.dropped) {
    if (dropped === "gone" && there.has(asset)) broken("P11", `asset ${asset} was deleted but is still there`)
  }
})

/** Checks that what was announced about a session is stored. */
const checkAnnounced = Effect.fnUntraced(function* (process: Process, known: Known) {
  const { gateway } = process
  const found = yield* Effect.either(gateway.session(known.id))
  if (Either.isLeft(found)) {
    if (found.left._tag !== "SessionNotFound") broken("P2", `${known.id} cannot be read: ${found.left.message}`)
    if (known.presence === "must") broken("P2", `${known.id} was created but is gone`)
    return
  }
  if (known.presence === "gone") broken("P11", `${known.id} was deleted but is still there`)
  if (known.presence !== "must") return
  checkEvents(known, yield* Finale.eventsOf(process, known.id))
  const entries = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.transcript({ sessionId: known.id })))
  for (const [seq, text] of known.appended) {
    const entry = entries[seq - 1]
    if (entry === undefined || textOf(entry.message) !== text) broken("P2", `${known.id}: ${text} is not at ${seq}`)
  }
  for (const run of known.sent.keys()) {
    if (Either.isLeft(yield* Effect.either(gateway.run(run)))) broken("P2", `run ${run} was acknowledged but is gone`)
  }
  yield* checkValues(process, known)
  yield* checkAssets(process, known)
})

/** Descriptions of the checks in progress. */
type Doing = Set<string>

const doing =
  (all: Doing, what: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => all.add(what)),
      () => effect,
      () => Effect.sync(() => all.delete(what))
    )

const busy = { schedule: Schedule.spaced("5 millis") }

/** Starts a run in the given way, once nothing else holds the session. */
const goOn = ({ gateway }: Process, sessionId: SessionId, way: Way): Effect.Effect<Ref, { readonly _tag: string }> =>
  way === "message"
    ? gateway.send({ sessionId, text: `going on with ${sessionId}`, whenBusy: "queue" })
    : Effect.retry(gateway.resume(sessionId), { ...busy, while: ({ _tag }) => _tag === "SessionBusy" })

const answerAll = ({ gateway }: Process, sessionId: SessionId) =>
  Effect.gen(function* () {
    for (const { id } of yield* gateway.questions({ sessionId })) {
      yield* Effect.ignore(gateway.answer({ questionId: id, verdict: "allow-once" }))
    }
  }).pipe(Effect.ignore, Effect.repeat(Schedule.spaced("5 millis")))

/** The user goes on, and gets an answer. False when the session is being deleted, as a process wished. */
const answered = Effect.fnUntraced(function* (process: Process, id: SessionId, way: Way, known: Known | undefined) {
  const started: Either.Either<Ref, { readonly _tag: string }> = yield* Effect.either(goOn(process, id, way))
  if (Either.isLeft(started)) {
    const { _tag } = started.left
    const isGoing = _tag === "SessionDeleting" || _tag === "SessionNotFound"
    if (!isGoing || known?.presence === "must") broken("P4", `${way} in ${id}: ${_tag}`)
    return false
  }
  const { detail, stopReason } = yield* process.gateway.await(started.right)
  if (stopReason !== "completed") broken("P4", `${way} in ${id} ended as ${stopReason}: ${detail}`)
  return true
})

/** Whether the outcome of a call that was open agrees with what was known about the call. */
const isRight = ({ isAsked, isReleased, mayGoOn, state }: Rows.OpenCall, outcome: string): boolean => {
  if (state === "started") return outcome === "interrupted"
  if ((isAsked || isReleased) && mayGoOn) return outcome !== "interrupted" && outcome !== "never-started"
  return outcome === "never-started" || (isAsked && outcome === "denied")
}

const checkRecovered = Effect.fnUntraced(function* (process: Process, before: Rows.Rows, after: Rows.Rows) {
  const results = new Map(after.results.map((result) => [result.callId, result]))
  const there = new Set<string>((yield* process.gateway.sessions({ limit: 500 })).sessions.map(({ id }) => id))
  for (const call of before.open) {
    if (!there.has(call.session)) continue
    const outcome = results.get(call.callId)?.outcome ?? "without a result"
    if (!isRight(call, outcome)) {
      broken("P4", `${call.callId} was ${call.state}${call.isAsked ? " and asked about" : ""}, and is ${outcome}`)
    }
  }
})

const checkKept = (before: Rows.Rows, after: Rows.Rows, ledger: Ledger): void => {
  const stays = new Set<string>(
    [...ledger.sessions.values()].flatMap(({ id, presence }) => (presence === "must" ? [id] : []))
  )
  const results = new Map(after.results.map((result) => [result.callId, result.body]))
  for (const { body, callId, session } of before.results) {
    if (stays.has(session) && results.get(callId) !== body) broken("P2", `the result of ${callId} has changed`)
  }
}

const actorOf = (id: SessionId, known: Known | undefined): Parameters<typeof Finale.check>[1] => ({
  id,
  sent: new Map(
    [...(known?.presence === "must" ? known.sent : [])].map(([runId, text]) => [
      runId,
      { text, ref: { sessionId: id, runId, cursor: Cursor.make(0) } }
    ])
  ),
  title: { acknowledged: null, pending: null },
  deletion: "none"
})

const swept = (folder: string, all: Doing) =>
  Effect.gen(function* () {
    while (true) {
      const [left] = Rows.leftovers(folder)
      if (left === undefined) return
      yield* doing(all, `P11: the sweep leaves ${left}`)(Effect.sleep("20 millis"))
    }
  })

const checked = (folder: string, ledger: Ledger, way: Way, all: Doing) =>
  Effect.gen(function* () {
    const breaches: Array<string> = []
    const before = Rows.look(folder)
    const context = yield* Layer.build(engine(folder, way, breaches))
    const gateway = Context.get(context, Gateway)
    const process: Process = { process: way, gateway, reader: Context.get(context, StorageReader) }
    for (const known of ledger.sessions.values()) {
      yield* doing(all, `P2: what was announced about ${known.id}`)(checkAnnounced(process, known))
    }

    const fresh = SessionId.make("fresh")
    yield* gateway.create({ id: fresh, workdir: "/" })
    const ids = (yield* gateway.sessions({ limit: 500 })).sessions.map(({ id }) => id)
    const live = yield* Effect.filter(
      ids,
      (id) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(answerAll(process, id))
          return yield* doing(all, `P4: ${way} in ${id}`)(answered(process, id, way, ledger.sessions.get(id)))
        }),
      { concurrency: "unbounded" }
    )
    yield* swept(folder, all)
    for (const id of live) {
      const actor = actorOf(id, ledger.sessions.get(id))
      // Queued runs come after the one that went on.
      for (const [runId, { ref }] of actor.sent) yield* doing(all, `P4: the end of ${runId}`)(gateway.await(ref))
      yield* doing(all, `the end of ${id}`)(Finale.check(process, actor))
    }
    const after = Rows.look(folder)
    yield* checkRecovered(process, before, after)
    checkKept(before, after, ledger)
    if (breaches[0] !== undefined) broken("model", breaches[0])
  }).pipe(Effect.scoped, Effect.zipRight(Effect.sync(() => Rows.look(folder))), Effect.asVoid)

/** Opens a folder in which nothing runs, and goes on in it in the given way. Dies of `Broken`. */
export const check = (folder: string, ledger: Ledger, way: Way) =>
  Effect.suspend(() => {
    const all: Doing = new Set()
    const during = () => [...all].join(", ") || "the engine opens or closes"
    return Patience.wait(checked(folder, ledger, way, all), {
      signs: () => `${during()} ${Rows.signs(folder)}`,
      during
    })
  })
