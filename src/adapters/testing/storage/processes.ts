/**
 * The promises of a storage that several processes share, some of which are killed. The processes are real and run
 * concurrently. A kill comes while a process writes, at an instant that the test does not choose.
 */
import { Context, Effect, Fiber, Layer } from "effect"
import type { Scope } from "effect"
import * as Transcript from "../../../domain/Transcript.js"
import * as EngineConfig from "../../../services/EngineConfig.js"
import { EventSignals } from "../../../services/storage/EventSignals.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  appendStep,
  storeResult,
  assistant,
  create,
  createAndStart,
  destroy,
  events,
  transcriptLines,
  openBatch,
  presence,
  r1,
  r2,
  refused,
  result,
  s1,
  session,
  takeover,
  eventLines,
  transcript
} from "./fixture.js"
import type { SharedStorageFolder } from "./StorageFolder.js"
import * as Remote from "./Remote.js"
import * as StorageTest from "./StorageTest.js"
import { expect } from "./Vitest.js"

/** More than any process gets to write before it is killed. */
const endless = 1_000_000

const append = (name: string, times: number) => ({ _tag: "Append", sessionId: s1, name, times }) as const

const numbered = (name: string, times: number) => Array.from({ length: times }, (_, index) => `${name} ${index + 1}`)

const texts = Effect.map(transcriptLines(), (lines) => lines.map((line) => line.replace(/^\d+ user /u, "")))

/** Expects that neither the messages nor the events have gaps. */
const expectNoGaps = Effect.gen(function* () {
  const { cursor, head } = yield* session()
  expect((yield* transcript()).map(({ seq }) => Number(seq))).toEqual(Array.from({ length: head }, (_, at) => at + 1))
  expect((yield* events()).map((event) => Number(event.cursor))).toEqual(
    Array.from({ length: cursor }, (_, at) => at + 1)
  )
})

export const processTests = (
  folder: Effect.Effect<SharedStorageFolder, unknown, Scope.Scope>,
  config: EngineConfig.Options
): ReadonlyArray<StorageTest.StorageTest> => {
  const test = <E>(
    name: string,
    body: (
      start: Effect.Effect<Remote.Remote, Remote.ProgramFailed, Scope.Scope>,
      /** Opens the folder here. */
      here: Layer.Layer<StorageTest.TestedServices, unknown>
    ) => Effect.Effect<void, E, Scope.Scope>
  ) =>
    StorageTest.make(
      name,
      Effect.gen(function* () {
        const { layer, program } = yield* folder
        const here = Layer.fresh(Layer.provide(layer, EngineConfig.layer(config)))
        yield* body(Remote.start(program), here)
      })
    )

  return [
    test("P1 one order: when processes append concurrently, each acknowledged message is there once, in order", (start, here) =>
      Effect.gen(function* () {
        yield* Effect.provide(create(), here)
        const [first, second] = yield* Effect.all([start, start], { concurrency: 2 })
        yield* Effect.all([first.begin(append("a", 40)), second.begin(append("b", 40))])
        const acknowledged = yield* Effect.forEach([first, second], ({ finish }) =>
          Effect.map(finish, Remote.acknowledged)
        )
        expect(acknowledged).toEqual([numbered("a", 40), numbered("b", 40)])
        yield* Effect.gen(function* () {
          const stored = yield* texts
          for (const name of ["a", "b"]) {
            expect(stored.filter((text) => text.startsWith(name))).toEqual(numbered(name, 40))
          }
          expect(stored).toHaveLength(80)
          yield* expectNoGaps
        }).pipe(Effect.provide(here))
      })),

    test("P2 seen means stored: a process killed while it writes loses nothing that was acknowledged", (start, here) =>
      Effect.gen(function* () {
        yield* Effect.provide(create(), here)
        const [survivor, ...killed] = yield* Effect.all([start, start, start], { concurrency: 3 })
        yield* survivor.begin(append("s", 40))
        const acknowledged = yield* Effect.forEach(
          killed,
          (remote, index) =>
            Effect.gen(function* () {
              yield* remote.begin(append(`k${index}`, endless))
              const before = yield* remote.acknowledges(1 + 20 * index)
              return Remote.acknowledged([...before, ...(yield* remote.kill)])
            }),
          { concurrency: "unbounded" }
        )
        expect(Remote.acknowledged(yield* survivor.finish)).toEqual(numbered("s", 40))
        yield* Effect.gen(function* () {
          const stored = yield* texts
          const of = (name: string) => stored.filter((text) => text.startsWith(name))
          expect(of("s")).toEqual(numbered("s", 40))
          for (const [index, known] of acknowledged.entries()) {
            const kept = of(`k${index}`)
            expect(kept.slice(0, known.length)).toEqual(known)
            // One may have been stored after the last report.
            expect(kept).toEqual(numbered(`k${index}`, kept.length))
            expect(kept.length - known.length).toBeLessThanOrEqual(1)
          }
          yield* expectNoGaps
        }).pipe(Effect.provide(here))
      })),

    test("P5 at most once: after a kill during a batch, each result is there once and no call starts again", (start, here) =>
      Effect.gen(function* () {
        const remote = yield* start
        const ids = Array.from({ length: 60 }, (_, index) => `c${index}`)
        const engine = yield* Layer.build(here)
        const admit = { _tag: "Admit", engine: "killed", sessionId: s1, runId: r1, key: "k" } as const
        yield* Effect.gen(function* () {
          yield* create()
          const [answer] = yield* remote.ask(admit)
          if (answer?._tag !== "Answered" || answer.lease === null) return yield* Effect.dieMessage("not started")
          const { lease } = answer
          const { calls } = yield* openBatch(lease, ...ids)
          // In reverse order, so that only the last result moves the head.
          yield* remote.begin({ _tag: "Complete", lease, calls: calls.toReversed() })
          const before = yield* remote.acknowledges(10)
          const known = Remote.acknowledged([...before, ...(yield* remote.kill)])
          const storage = yield* Storage
          expect(yield* storage.takeOver(takeover(lease), presence("other"))).toEqual({ _tag: "Ended" })
          const results = (yield* transcript()).flatMap(({ message }) => (message.role === "tool" ? [message] : []))
          expect(results.map(({ callId }) => callId)).toEqual(ids)
          const succeeded = results.flatMap(({ callId, outcome }) => (outcome === "success" ? [callId] : []))
          expect(succeeded.toReversed().slice(0, known.length)).toEqual(known)
          expect(succeeded.length - known.length).toBeLessThanOrEqual(1)
          expect(results.filter(({ outcome }) => outcome === "interrupted").length).toBeLessThanOrEqual(1)
          expect(Transcript.isSendable(yield* transcript())).toBe(true)
          for (const { callId, seq } of calls) {
            expect(yield* refused(storage.startCall(lease, seq))).toMatchObject({ _tag: "LeaseLost" })
            expect(yield* refused(storeResult(lease, seq, result(callId)))).toMatchObject({
              _tag: "LeaseLost"
            })
          }
          const next = yield* start
          expect(Remote.outcomes(yield* next.ask({ ...admit, runId: r2 }))).toEqual(["Existing"])
          yield* expectNoGaps
        }).pipe(Effect.provide(engine))
      })),

    test("P9 many processes: of two claims to a session one succeeds, and of two takeovers of it one", (start, here) =>
      Effect.gen(function* () {
        yield* Effect.provide(create(), here)
        const [first, second, third] = yield* Effect.all([start, start, start], { concurrency: 3 })
        const claim = { _tag: "Admit", sessionId: s1, key: null } as const
        const claims = yield* Effect.all(
          [first.ask({ ...claim, engine: "one", runId: r1 }), second.ask({ ...claim, engine: "two", runId: r2 })],
          { concurrency: 2 }
        )
        expect(claims.flatMap(Remote.outcomes).toSorted()).toEqual(["Busy", "Started"])
        const [lease] = claims
          .flat()
          .flatMap((report) => (report._tag === "Answered" && report.lease ? [report.lease] : []))
        if (lease === undefined) return yield* Effect.dieMessage("nobody has the lease")
        const [dead, living] = lease.runId === r1 ? [first, second] : [second, first]
        yield* dead.kill
        const takeOver = { _tag: "TakeOver", lease, count: 1 } as const
        const taken = yield* Effect.all(
          [living.ask({ ...takeOver, engine: "two" }), third.ask({ ...takeOver, engine: "three" })],
          { concurrency: 2 }
        )
        expect(taken.flatMap(Remote.outcomes).toSorted()).toEqual(["Ended", "Lost"])
        yield* Effect.gen(function* () {
          expect((yield* eventLines()).filter((line) => line.startsWith("run.ended"))).toEqual([
            `run.ended ${lease.runId} crashed`
          ])
          expect(yield* refused(appendStep(lease, assistant("Late")))).toMatchObject({
            _tag: "LeaseLost"
          })
          yield* expectNoGaps
        }).pipe(Effect.provide(here))
      })),

    test("P7 one boundary: a session that is deleted while another process writes to it does not come back", (start, here) =>
      Effect.gen(function* () {
        const writer = yield* start
        yield* Effect.gen(function* () {
          yield* create()
          yield* writer.begin(append("w", endless))
          yield* writer.acknowledges(5)
          yield* destroy(s1)
          const [refusal = ""] = Remote.outcomes(yield* writer.finish)
          expect(["SessionDeleting", "SessionNotFound"]).toContain(refusal)
          expect(yield* refused((yield* StorageReader).session(s1))).toMatchObject({ _tag: "SessionNotFound" })
          expect(Remote.outcomes(yield* writer.ask(append("w", 1)))).toEqual(["SessionNotFound"])
          yield* createAndStart()
          expect(yield* texts).toEqual(["Hello"])
        }).pipe(Effect.provide(yield* Layer.build(here)))
      })),

    test("P10 a watcher is woken by changes of another process, and can read them then", (start, here) =>
      Effect.gen(function* () {
        const writer = yield* start
        const engine = yield* Layer.build(here)
        yield* Effect.gen(function* () {
          yield* create()
          const { cursor } = yield* session()
          const watch = yield* Context.get(engine, EventSignals).watch(s1)
          const waiting = yield* Effect.fork(
            Effect.repeat(Effect.zipRight(watch.next, eventLines(cursor)), { until: (seen) => seen.length > 0 })
          )
          yield* writer.ask({ _tag: "Rename", sessionId: s1, title: "Renamed" })
          expect(yield* Fiber.join(waiting)).toEqual(["session.renamed Renamed"])
        }).pipe(Effect.provide(engine))
      }))
  ]
}
