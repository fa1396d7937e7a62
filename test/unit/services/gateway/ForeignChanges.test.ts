/**
 * Hints about sessions that another process has changed: two engines on one data folder, each with its own connections.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Queue, Stream } from "effect"
import { Agents, Gateway, Permissions, Session } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"
import * as HintReader from "../../../../src/services/gateway/HintReader.js"
import { handClock } from "../../../../src/adapters/testing/storage/StorageTest.js"
import type { SessionChanges } from "../../../../src/services/storage/Storage.js"
import { folder } from "../storage/disk.js"
import { ann, bob } from "./owners.js"

const agent = Agents.layer({ models: ScriptedModel.models, policy: Permissions.askToWrite }).pipe(
  Layer.provide(ScriptedModel.layer)
)

const open = (data: string) =>
  Effect.map(Layer.build(Layer.fresh(Layer.provide(SkeinNode.layer({ data }), agent))), (context) => ({
    context,
    gateway: Context.get(context, Gateway.Gateway)
  }))

/** Hints as they arrive. */
const hints = (gateway: Gateway.Service) =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<Gateway.SessionHint>()
    yield* Effect.forkScoped(Stream.runForEach(gateway.changes(), (hint) => Queue.offer(queue, hint)))
    expect(yield* Queue.take(queue)).toEqual({ kind: "gap" })
    /** All hints up to the first that matches. */
    const until = (is: (hint: Gateway.SessionHint) => boolean) =>
      Effect.gen(function* () {
        const all: Array<Gateway.SessionHint> = []
        while (!all.some(is)) all.push(yield* Queue.take(queue))
        return all
      })
    const of = (sessionId: Session.Id) => until((hint) => "sessionId" in hint && hint.sessionId === sessionId)
    return { of, until }
  })

describe("P9 changes of another process", () => {
  it.scopedLive("P9 are reported in the order of the commits, with each session's activity", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const [one, other] = [yield* open(data), yield* open(data)]
      const { id: a } = yield* one.gateway.create({ title: "a" })
      const { id: b } = yield* one.gateway.create({ title: "b" })
      const told = yield* hints(other.gateway)
      yield* one.gateway.patch({ sessionId: a, title: "A" })
      expect((yield* told.of(a)).at(-1)).toMatchObject({ kind: "session.renamed", cursor: 2, activity: "idle" })
      yield* one.gateway.patch({ sessionId: b, metadata: { n: 1 } })
      const { id: c } = yield* one.gateway.create({ title: "c" })
      const both = yield* told.of(c)
      expect(both.flatMap((hint) => (hint.kind === "gap" ? [] : [hint.sessionId]))).toEqual(
        expect.arrayContaining([b, c])
      )
      // A change that this process makes at the same time is reported once.
      yield* other.gateway.patch({ sessionId: b, title: "B" })
      yield* one.gateway.patch({ sessionId: a, title: "Aa" })
      const last = yield* told.of(a)
      expect(last.flatMap((hint) => (hint.kind === "session.renamed" ? [hint.sessionId] : []))).toEqual([b, a])
    })
  )

  it.scopedLive("P9 are found as soon as a watcher begins, and a deletion is reported as a gap", () =>
    Effect.gen(function* () {
      const data = yield* folder
      const [one, other] = [yield* open(data), yield* open(data)]
      const { id: a } = yield* one.gateway.create({ title: "a", owner: ann })
      const told = yield* hints(yield* Effect.provide(Gateway.forOwner(bob), other.context))
      const { id: mine } = yield* one.gateway.create({ title: "his", owner: bob })
      expect((yield* told.of(mine)).at(-1)).toMatchObject({ kind: "session.created" })
      yield* one.gateway.delete(a)
      const all = yield* told.until(({ kind }) => kind === "gap")
      expect(JSON.stringify(all)).not.toContain(a)
    })
  )
})

/** A reader that finds the given changes, and its clock. */
const reading = (found: () => Partial<SessionChanges>, disorderMillis = 0) => {
  const { clock, set } = handClock()
  const asked: Array<readonly [from: number, to: number]> = []
  const reader: HintReader.Reader = {
    changes: ({ from, to }) =>
      Effect.sync(() => {
        asked.push([from, to])
        return { sessions: [], deletions: 0, ...found() }
      }),
    states: (ids) =>
      Effect.succeed(
        ids.map((sessionId) => ({
          ...place(sessionId, 2, 100_000),
          owner: null,
          kind: "session.renamed",
          activity: "idle",
          tenancy: null
        }))
      )
  }
  const hints = HintReader.make(
    reader,
    { left: () => Effect.succeed([]) },
    {
      now: () => clock.unsafeCurrentTimeMillis(),
      disorderMillis
    }
  )
  return { asked, hints, set }
}

const place = (id: string, cursor: number, updatedAt: number) => ({
  sessionId: Session.Id.make(id),
  cursor: Session.Cursor.make(cursor),
  updatedAt
})

describe("a check for changes by other processes", () => {
  const looking = (name: string, test: () => Effect.Effect<void, unknown>) => it.effect(name, test)

  looking("continues from the newest change that it saw, and compares changes with exactly that time", () =>
    Effect.gen(function* () {
      let sessions = [place("a", 1, 99_000), place("b", 1, 100_000)]
      const { asked, hints, set } = reading(() => ({ sessions }))
      yield* set(101_000)
      yield* hints.begin
      expect(yield* hints.elsewhere).toEqual([])
      expect(asked).toEqual([
        [41_000, 101_000],
        [100_000, 101_000]
      ])
      sessions = [place("b", 2, 100_000), place("c", 1, 100_000)]
      expect(yield* hints.elsewhere).toEqual(["b", "c"])
      // A change that was reported is not reported again, unless the session changes again.
      expect(yield* hints.hints(new Map([[place("b", 0, 0).sessionId, null]]))).toHaveLength(1)
      sessions = [place("b", 2, 100_000)]
      expect(yield* hints.elsewhere).toEqual([])
      expect(yield* hints.hints(new Map([[place("b", 0, 0).sessionId, null]]))).toEqual([])
    })
  )

  looking("finds changes with an earlier time than it saw, where commits overlap, and reports them once", () =>
    Effect.gen(function* () {
      let sessions = [place("a", 1, 100_000)]
      const { asked, hints, set } = reading(() => ({ sessions }), 5_000)
      yield* set(100_000)
      yield* hints.begin
      yield* set(101_000)
      sessions = [place("b", 2, 97_000), place("a", 1, 100_000), place("c", 2, 103_000)]
      expect(yield* hints.elsewhere).toEqual(["b", "c"])
      expect(asked).toEqual([
        [40_000, 105_000],
        [95_000, 106_000]
      ])
      sessions = [place("b", 2, 100_000)]
      expect(yield* hints.hints(new Map([[place("b", 0, 0).sessionId, null]]))).toHaveLength(1)
      expect(yield* hints.elsewhere).toEqual([])
    })
  )

  looking("forgets no session that may still change within the same millisecond", () =>
    Effect.gen(function* () {
      const { hints, set } = reading(() => ({ sessions: [place("a", 2, 100_000)] }))
      yield* set(100_000)
      yield* hints.begin
      const news = new Map([[place("a", 0, 0).sessionId, null]])
      expect(yield* hints.hints(news)).toHaveLength(1)
      expect(yield* hints.elsewhere).toEqual(["a"])
      expect(yield* hints.hints(news)).toHaveLength(1)
      yield* set(100_001)
      expect(yield* hints.hints(news)).toHaveLength(1)
      expect(yield* hints.hints(news)).toEqual([])
      expect(yield* hints.elsewhere).toEqual([])
    })
  )

  looking("returns null when the clock was set back, a session was deleted or too much has changed", () =>
    Effect.gen(function* () {
      let found: Partial<SessionChanges> = { sessions: [place("a", 1, 100_000)] }
      const { asked, hints, set } = reading(() => found)
      yield* set(100_500)
      yield* hints.begin
      yield* set(50_000)
      expect(yield* hints.elsewhere).toBeNull()
      found = {}
      expect(yield* hints.elsewhere).toEqual([])
      expect(asked.at(-1)).toEqual([-10_000, 50_000])
      found = { deletions: 1 }
      expect(yield* hints.elsewhere).toBeNull()
      expect(yield* hints.elsewhere).toEqual([])
      found = { deletions: 1, sessions: Array.from({ length: 5_000 }, (_, n) => place(`s${n}`, 1, 49_000)) }
      expect(yield* hints.elsewhere).toBeNull()
    })
  )
})
