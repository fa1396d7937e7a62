/** Broken storages, each with one defect that somebody might make, wrapped around the in-memory storage. */
import { Context, Effect, Layer, Option, Stream } from "effect"
import { Quiescence } from "skein/testing"
import type { Lease } from "../../../../src/domain/Lease.js"
import type { CallId, Entry } from "../../../../src/domain/Message.js"
import type { SessionId } from "../../../../src/domain/Session.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import { SessionNotFound } from "../../../../src/domain/SkeinError.js"
import * as AssetFiles from "../../../../src/services/assets/AssetFiles.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import * as EventSignals from "../../../../src/services/storage/EventSignals.js"
import * as MemoryFiles from "../../../../src/services/assets/MemoryFiles.js"
import * as MemoryStorage from "../../../../src/services/storage/memory/MemoryStorage.js"
import { type ReaderService, type Service, Storage, StorageReader } from "../../../../src/services/storage/Storage.js"
import * as NewSession from "../../../support/NewSession.js"

interface Sound {
  readonly storage: Service
  readonly reader: ReaderService
  readonly signals: EventSignals.Service
}

/** What a broken storage does differently from the sound one. */
type Defect = (sound: Sound) => { readonly storage?: Partial<Service>; readonly reader?: Partial<ReaderService> }

export const sound = Layer.provideMerge(MemoryStorage.layer, EventSignals.layer)

const breakIt = (defect: Defect) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const [storage, reader, signals] = yield* Effect.all([Storage, StorageReader, EventSignals.EventSignals])
      const broken = defect({ storage, reader, signals })
      return Context.make(Storage, { ...storage, ...broken.storage }).pipe(
        Context.add(StorageReader, { ...reader, ...broken.reader })
      )
    })
  )

/** A storage with one defect. Some defects wait for `Quiescence.idle`, to let all others go first. */
const broken = (defect: Defect) => Layer.provideMerge(breakIt(defect), sound).pipe(Layer.provide(Quiescence.layer))

/** Shows a different transcript than the sound reader. */
const showing = (reader: ReaderService, show: (entries: ReadonlyArray<Entry>) => ReadonlyArray<Entry>) => ({
  transcript: (range: Parameters<ReaderService["transcript"]>[0]) =>
    Stream.unwrap(Effect.map(Stream.runCollect(reader.transcript(range)), (all) => Stream.fromIterable(show([...all]))))
})

const completionOrder: Defect = ({ reader, storage }) => {
  const stored: Array<CallId> = []
  const rank = ({ message }: Entry) => (message.role === "tool" ? stored.indexOf(message.callId) : -1)
  return {
    storage: {
      storeResult: (lease, seq, result) =>
        Effect.tap(storage.storeResult(lease, seq, result), () => Effect.sync(() => stored.push(result.value.callId)))
    },
    reader: showing(reader, (entries) => {
      const results = entries.filter(({ message }) => message.role === "tool")
      const inOrder = results.toSorted((one, other) => rank(one) - rank(other)).values()
      return entries.map((entry) =>
        entry.message.role === "tool" ? { ...entry, message: inOrder.next().value?.message ?? entry.message } : entry
      )
    })
  }
}

const halfDone: Defect = ({ reader }) => ({
  reader: {
    transcript: (range) =>
      Stream.concat(
        reader.transcript(range),
        Stream.unwrap(Effect.map(reader.openBatch(range.sessionId), ({ stored }) => Stream.fromIterable(stored)))
      )
  }
})

const noFence: Defect = ({ reader, storage }) => {
  const newest = (lease: Lease) =>
    Effect.map(Effect.option(reader.activity(lease.sessionId)), (known) =>
      Option.flatMap(known, ({ holder }) => Option.map(holder, (holder) => holder.lease)).pipe(
        Option.getOrElse(() => lease)
      )
    )
  return {
    storage: {
      appendStep: (lease, message) => Effect.flatMap(newest(lease), (lease) => storage.appendStep(lease, message)),
      startCall: (lease, seq) => Effect.flatMap(newest(lease), (lease) => storage.startCall(lease, seq)),
      storeResult: (lease, seq, result) =>
        Effect.flatMap(newest(lease), (lease) => storage.storeResult(lease, seq, result)),
      endRun: (lease, end) => Effect.flatMap(newest(lease), (lease) => storage.endRun(lease, end))
    }
  }
}

const lostUpdate: Defect = ({ reader, storage }) => ({
  storage: {
    patch: (sessionId, { metadata: patch }) =>
      Effect.gen(function* () {
        const { metadata } = yield* reader.session(sessionId)
        yield* Quiescence.idle
        const since = Object.keys((yield* reader.session(sessionId)).metadata).filter((field) => !(field in metadata))
        return yield* storage.patch(sessionId, {
          metadata: {
            ...Object.fromEntries(since.map((field) => [field, null])),
            ...patch
          }
        })
      })
  }
})

const early: Defect = ({ reader, storage }) => ({
  storage: {
    storeResult: (lease, seq, result) =>
      Effect.gen(function* () {
        const { head } = yield* reader.session(lease.sessionId)
        yield* Effect.forkDaemon(Effect.zipRight(Quiescence.idle, storage.storeResult(lease, seq, result)))
        return { result: result.value, head }
      })
  }
})

const resurrecting: Defect = ({ storage }) => ({
  storage: {
    append: (sessionId, messages) =>
      storage.append(sessionId, messages).pipe(
        Effect.catchTag("SessionNotFound", () =>
          storage.createSession(NewSession.bare(sessionId)).pipe(
            Effect.catchTag("SessionExists", () => new SessionNotFound({ sessionId })),
            Effect.zipRight(storage.append(sessionId, messages))
          )
        )
      )
  }
})

/** Signals that never arrive. */
const unheard = Layer.effect(
  EventSignals.EventSignals,
  Effect.map(EventSignals.EventSignals, (signals) => ({ ...signals, signal: () => {} }))
).pipe(Layer.provide(Layer.fresh(EventSignals.layer)))

const tooSoon: Defect = ({ signals, storage }) => {
  const first = <A, E>(sessionId: SessionId, change: Effect.Effect<A, E>) =>
    Effect.sync(() => signals.signal(sessionId)).pipe(Effect.zipRight(Quiescence.idle), Effect.zipRight(change))
  return {
    storage: {
      createSession: (session) => first(session.id, storage.createSession(session)),
      patch: (sessionId, patch) => first(sessionId, storage.patch(sessionId, patch)),
      append: (sessionId, messages) => first(sessionId, storage.append(sessionId, messages))
    }
  }
}

const shortWrites = Layer.effect(
  AssetFiles.AssetFiles,
  Effect.map(AssetFiles.AssetFiles, (files) => ({
    ...files,
    create: (upload: AssetFiles.Upload) =>
      Effect.map(files.create(upload), (content) => ({
        ...content,
        append: (bytes: Uint8Array) => content.append(bytes.subarray(0, 500))
      }))
  }))
).pipe(Layer.provide(MemoryFiles.layer))

/** Assets over these files. */
export const withAssets = (files: Layer.Layer<AssetFiles.AssetFiles>) =>
  Assets.layer.pipe(Layer.provideMerge(sound), Layer.provide([files, NodeHashing.layer, Identity.layer]))

export const assetsCutShort = withAssets(shortWrites)

export const startsTwice = broken(({ storage }) => ({
  storage: { startCall: (lease, seq) => Effect.as(storage.startCall(lease, seq), true) }
}))

/** Each defect, and the test that reveals it. */
export const defects = [
  {
    defect: "a released run closes the questions that it waits for",
    caughtBy: "P5 releasing a run interrupts its started calls; no engine holds it, its other calls and questions stay",
    layer: broken(({ reader, storage }) => ({
      storage: {
        releaseRun: (lease) =>
          Effect.zipRight(
            Effect.flatMap(
              Effect.orDie(reader.questions(lease.sessionId)),
              Effect.forEach(({ id }) =>
                Effect.ignore(storage.answer(id, { verdict: "deny", message: null, by: null }))
              )
            ),
            storage.releaseRun(lease)
          )
      }
    }))
  },
  {
    defect: "a crashed engine's run is taken over for ever",
    caughtBy: "P9 a run that makes no progress in three takeovers is given up; a run that makes progress never is",
    layer: broken(({ storage }) => ({
      storage: {
        takeOver: (seen, presence) =>
          storage.takeOver(seen.recovery === "continue" ? { ...seen, reason: "released" } : seen, presence)
      }
    }))
  },
  {
    defect: "a retry under a key appends its messages again",
    caughtBy: "P5 messages appended under a key are stored once, and a retry returns the same entries",
    layer: broken(({ storage }) => ({
      storage: { append: (sessionId, messages) => storage.append(sessionId, messages) }
    }))
  },
  {
    defect: "a run that ended without an answer is resumed again with each request",
    caughtBy: "P5 a run that ended without an answer is resumed once, by a run that takes on its metadata and key",
    layer: broken(({ storage }) => ({
      storage: { resume: (resumption) => storage.resume({ ...resumption, of: "newest" }) }
    }))
  },
  {
    defect: "an update is lost between a read and its write",
    caughtBy: "P7 one boundary: no concurrent patch is lost",
    layer: broken(lostUpdate)
  },
  {
    defect: "results appear in the order in which they arrived",
    caughtBy: "P1 one order: results appear in call order, whatever order they arrive in",
    layer: broken(completionOrder)
  },
  {
    defect: "a half-done batch is shown",
    caughtBy: "P2 seen means stored, P3 never late: a result is announced while earlier calls still run",
    layer: broken(halfDone)
  },
  {
    defect: "a result is acknowledged first and stored later",
    caughtBy: "P2 seen means stored: what an operation did is readable when it returns",
    layer: broken(early)
  },
  {
    defect: "a refused append leaves its first messages",
    caughtBy: "P4 always sendable: messages that must not come next are refused, and none of them is stored",
    layer: broken(({ storage }) => ({
      storage: {
        append: (sessionId, messages) =>
          Effect.map(
            Effect.forEach(messages, (message) => storage.append(sessionId, [message])),
            (entries) => entries.flat()
          )
      }
    }))
  },
  {
    defect: "an idempotency key is ignored",
    caughtBy: "P5 a key belongs to one message: sending it again returns the same run, whatever the run's state",
    layer: broken(({ storage }) => ({
      storage: { admit: (admission) => storage.admit({ ...admission, idempotencyKey: null }) }
    }))
  },
  {
    defect: "a message that an earlier version stored is not recognized",
    caughtBy: "P5 a message that was stored under its text hash is recognized when it is sent again under its key",
    layer: broken(({ storage }) => ({
      storage: { admit: (admission) => storage.admit({ ...admission, textHash: admission.hash }) }
    }))
  },
  {
    defect: "a call that has started is started again",
    caughtBy: "P5 at most once: a call is started once",
    layer: startsTwice
  },
  {
    defect: "reading a session touches it",
    caughtBy: "P6 reads never write: reading a session leaves it and its events unchanged",
    layer: broken(({ reader, storage }) => ({
      reader: {
        session: (sessionId) =>
          Effect.zipRight(Effect.ignore(storage.patch(sessionId, { metadata: {} })), reader.session(sessionId))
      }
    }))
  },
  {
    defect: "messages and runs are accepted after a deletion has begun",
    caughtBy: "P7 delete: from the first step on, no message, run or answer is accepted",
    layer: broken(({ reader, storage }) => ({
      storage: {
        beginDelete: (sessionId) => Effect.catchTag(Effect.asVoid(reader.session(sessionId)), "RowDamaged", Effect.die),
        hide: (sessionId) => Effect.zipRight(storage.beginDelete(sessionId), storage.hide(sessionId))
      }
    }))
  },
  {
    defect: "a message brings a deleted session back",
    caughtBy: "P7 nothing resurrects a session: an operation on a deleted session is refused and creates nothing",
    layer: broken(resurrecting)
  },
  {
    defect: "the fence is not checked",
    caughtBy: "P9 fencing: a run that has ended writes nothing more, even when another run holds the session",
    layer: broken(noFence)
  },
  {
    defect: "an engine is taken over although it has given a sign of life",
    caughtBy: "P9 an engine that has given a sign of life since it was last checked is not taken over",
    layer: broken(({ reader, storage }) => ({
      storage: {
        takeOver: (seen, owner) =>
          Effect.gen(function* () {
            const { holder } = yield* Effect.catchTag(reader.activity(seen.lease.sessionId), "RowDamaged", Effect.die)
            const count = Option.match(holder, { onNone: () => seen.count, onSome: ({ beat }) => beat.count })
            return yield* storage.takeOver({ ...seen, count }, owner)
          })
      }
    }))
  },
  {
    defect: "an event is lost where two pages meet",
    caughtBy: "P10 cursors have no gaps, and pages of events join without one",
    layer: broken(({ reader }) => ({
      reader: {
        events: (range) => Effect.map(reader.events(range), (events) => events.slice(range.after === 0 ? 0 : 1))
      }
    }))
  },
  {
    defect: "watchers are woken before there is anything to read",
    caughtBy: "P10 a watcher is woken by each change, and can read it then",
    layer: breakIt(tooSoon).pipe(
      Layer.provide(Layer.provide(MemoryStorage.layer, unheard)),
      Layer.provideMerge(EventSignals.layer)
    )
  },
  {
    defect: "part of a refused patch stays",
    caughtBy: "P12 clear refusal: a refused patch changes nothing",
    layer: broken(({ reader, storage }) => ({
      storage: {
        patch: (sessionId, { metadata = {} }) =>
          Effect.forEach(
            Object.entries(metadata),
            ([field, value]) => storage.patch(sessionId, { metadata: { [field]: value } }),
            {
              discard: true
            }
          ).pipe(Effect.zipRight(reader.session(sessionId)))
      }
    }))
  }
]
