/** The visible state of a storage, as plain data for comparing two storages. */
import { Chunk, Effect, Either, Option, Stream } from "effect"
import type { SessionId } from "../../../../domain/Session.js"
import type { ReaderService, StoredPage } from "../../../../services/storage/Storage.js"
import type { World } from "./World.js"

/** The outcome of an operation: its answer, or the tag and fields of its refusal. */
export const outcome = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.either(effect), (either) =>
    Either.match(either, {
      onLeft: (error) => ({ refused: { ...error } }),
      onRight: (answer) => ({ answer })
    })
  )

const readTranscript = (reader: ReaderService, range: Parameters<ReaderService["transcript"]>[0]) =>
  Effect.map(Stream.runCollect(reader.transcript(range)), Chunk.toReadonlyArray)

const readTimeline = (reader: ReaderService, range: Parameters<ReaderService["timeline"]>[0]) =>
  Effect.map(Stream.runCollect(reader.timeline(range)), Chunk.toReadonlyArray)

/** Everything that readers see of one session; none if it does not exist. */
export const sessionView = (reader: ReaderService, sessionId: SessionId) =>
  Effect.gen(function* () {
    const session = yield* Effect.option(reader.session(sessionId))
    if (Option.isNone(session)) return Option.none()
    const view = yield* Effect.all({
      entries: readTranscript(reader, { sessionId }),
      timeline: readTimeline(reader, { sessionId }),
      events: reader.events({ sessionId, after: 0, limit: 10_000, entries: true }),
      activity: reader.activity(sessionId),
      occupancy: reader.occupancy(sessionId),
      openBatch: reader.openBatch(sessionId),
      draft: reader.draft(sessionId),
      questions: reader.questions(sessionId),
      granted: reader.granted(sessionId),
      assets: reader.assets(sessionId)
    })
    return Option.some({ session: session.value, ...view })
  })

export type SessionView = Option.Option.Value<Effect.Effect.Success<ReturnType<typeof sessionView>>>

/** Everything else: the lists, each run and each question, pages and ranges. */
export const wholeView = (reader: ReaderService, world: World, sessions: ReadonlyArray<SessionId>) =>
  Effect.all({
    list: pages(reader, "created"),
    listByActivity: pages(reader, "activity"),
    runs: Effect.forEach(world.runs, (runId) => outcome(reader.run(runId))),
    runLists: Effect.forEach(sessions, (sessionId) => outcome(reader.runs({ sessionId, limit: 3 }))),
    oldest: Effect.forEach(sessions, (sessionId) => outcome(reader.oldestCursor(sessionId))),
    unsettled: reader.unsettled({ released: 0, silent: 0 }),
    unsettledLater: reader.unsettled({ released: 2_000, silent: 3_000 }),
    activities: Effect.forEach(activities, (activity) => reader.sessions({ activity, total: true })),
    tenancies: Effect.map(reader.tenancies, (all) =>
      all.toSorted((one, other) => one.lease.sessionId.localeCompare(other.lease.sessionId))
    ),
    crashed: Effect.flatMap(reader.tenancies, (all) =>
      Effect.forEach(["running", "crashed"] as const, (activity) =>
        reader.sessions({
          activity: [activity],
          crashed: all.map(({ lease }) => lease).filter(({ fence }) => fence > 1)
        })
      )
    ),
    states: Effect.map(reader.states(sessions), (all) =>
      all.toSorted((one, other) => one.sessionId.localeCompare(other.sessionId))
    ),
    changes: reader.changes({ from: 0, to: Number.MAX_SAFE_INTEGER, limit: 100 }),
    waiting: reader.questions(null),
    heldRuns: Effect.forEach(["i0", "i1", "i2"], (instance) =>
      Effect.map(reader.heldRuns(instance), (runs) =>
        runs.toSorted((one, other) => one.lease.sessionId.localeCompare(other.lease.sessionId))
      )
    ),
    questions: Effect.forEach(world.questions, (id) => outcome(reader.question(id))),
    deleting: Effect.map(
      reader.deleting,
      (all) => new Set(all.map(({ hidden, sessionId }) => `${sessionId} ${hidden}`))
    ),
    ranges: Effect.forEach(sessions, (id) => ranges(reader, id)),
    cursors: Effect.forEach(sessions, (sessionId) =>
      Effect.forEach(world.cursors, (after) => outcome(reader.events({ sessionId, after, limit: 1 })))
    ),
    gone: Effect.forEach(sessions, (id) =>
      Effect.all([
        outcome(reader.activity(id)),
        outcome(reader.occupancy(id)),
        outcome(reader.openBatch(id)),
        outcome(reader.assets(id)),
        reader.questions(id),
        reader.granted(id)
      ])
    )
  })

const activities = [
  ["idle"],
  ["queued"],
  ["running"],
  ["asks"],
  ["crashed"],
  ["queued", "running", "asks", "crashed"]
] as const

/** Leaves out `next`, because its form is a storage's own. */
const pages = (reader: ReaderService, order: "created" | "activity") =>
  Effect.gen(function* () {
    const all: Array<Omit<StoredPage, "next">> = []
    let after: string | undefined
    do {
      const { next, ...page }: StoredPage = yield* reader.sessions({ limit: 2, total: true, order, after })
      all.push(page)
      after = next ?? undefined
    } while (after !== undefined)
    return all
  })

const ranges = (reader: ReaderService, sessionId: SessionId) =>
  Effect.forEach([0, 1, 2, 3, 5, 8, 13, 1_000], (after) =>
    Effect.all([
      outcome(reader.events({ sessionId, after, limit: 2 })),
      outcome(readTranscript(reader, { sessionId, from: after, to: after + 2 })),
      outcome(readTimeline(reader, { sessionId, from: after, to: after + 2 }))
    ])
  )
