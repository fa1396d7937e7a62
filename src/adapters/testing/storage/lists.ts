import { Effect } from "effect"
import { userText } from "../../../domain/Message.js"
import { RunId } from "../../../domain/Run.js"
import { Owner, SessionId } from "../../../domain/Session.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import {
  admission,
  append,
  create,
  createAndStart,
  openBatch,
  presence,
  q1,
  question,
  r2,
  s1,
  s2,
  session,
  takeover
} from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const smith = Owner.make("smith")

export const listTests = (test: Test) => {
  const createAll = (count: number) =>
    Effect.forEach(
      Array.from({ length: count }, (_, index) => index + 1),
      (n) => create({ id: SessionId.make(`n${n}`), title: `Number ${n}` })
    )
  const list = (query: Parameters<StorageReader["Type"]["sessions"]>[0]) =>
    Effect.map(
      Effect.flatMap(StorageReader, (reader) => reader.sessions({ ...query, total: true })),
      (page) => ({
        ids: page.sessions.map(({ id }) => String(id)),
        next: page.next,
        total: page.total
      })
    )

  test("sessions can be listed by their parent", () =>
    Effect.gen(function* () {
      for (const [id, parent] of [
        ["top", null],
        ["one", "top"],
        ["two", "top"],
        ["below", "one"]
      ] as const) {
        yield* create({ id: SessionId.make(id), parent: parent === null ? null : SessionId.make(parent) })
      }
      expect((yield* list({ parent: SessionId.make("top") })).ids).toEqual(["two", "one"])
      expect((yield* list({ parent: SessionId.make("two") })).ids).toEqual([])
      expect(yield* session(SessionId.make("below"))).toMatchObject({ parent: "one" })
    }))

  test("sessions are listed in reverse order of creation, whatever the clock says", () =>
    Effect.gen(function* () {
      yield* createAll(2)
      yield* (yield* Now).set(10)
      yield* create({ id: s1 })
      yield* (yield* Storage).patch(SessionId.make("n1"), { title: "Touched" })
      expect(yield* list({})).toEqual({ ids: ["s1", "n2", "n1"], next: null, total: 3 })
    }))

  test("pages list each session once, with totals, even if sessions are created meanwhile", () =>
    Effect.gen(function* () {
      yield* createAll(5)
      const first = yield* list({ limit: 2 })
      expect(first).toMatchObject({ ids: ["n5", "n4"], total: 5 })
      yield* create({ id: s1 })
      const second = yield* list({ limit: 2, after: first.next ?? undefined })
      expect(second).toMatchObject({ ids: ["n3", "n2"], total: 6 })
      const third = yield* list({ limit: 2, after: second.next ?? undefined })
      expect(third).toEqual({ ids: ["n1"], next: null, total: 6 })
      expect(yield* list({ limit: 6 })).toMatchObject({ next: null })
    }))

  test("a page has no total unless the query asks for it", () =>
    Effect.gen(function* () {
      yield* createAll(2)
      const reader = yield* StorageReader
      expect(yield* reader.sessions({ limit: 1 })).not.toHaveProperty("total")
      expect(yield* reader.sessions({ limit: 1, total: false })).not.toHaveProperty("total")
    }))

  test("a page has 1 to 500 sessions, 50 by default", () =>
    Effect.gen(function* () {
      yield* createAll(51)
      expect((yield* list({})).ids.length).toBe(50)
      expect((yield* list({ limit: 0 })).ids).toEqual(["n51"])
      expect((yield* list({ limit: 1_000 })).ids.length).toBe(51)
    }))

  test("sessions are found and counted by folder, owner and title", () =>
    Effect.gen(function* () {
      yield* create({ id: SessionId.make("a"), workdir: "/a", title: "100% Äpfel" })
      yield* create({ id: SessionId.make("b"), workdir: "/a/b", owner: smith, title: "a_b \\ apple" })
      yield* create({ id: SessionId.make("c"), workdir: "/a", owner: smith, title: "axb 'APPLE'" })
      expect(yield* list({ workdir: "/a" })).toEqual({ ids: ["c", "a"], next: null, total: 2 })
      expect((yield* list({ workdir: "/A" })).ids).toEqual([])
      expect((yield* list({ owner: smith })).ids).toEqual(["c", "b"])
      expect(yield* list({ owner: smith, workdir: "/a" })).toEqual({ ids: ["c"], next: null, total: 1 })
      expect(yield* list({ title: "aPPle", limit: 1 })).toMatchObject({ ids: ["c"], total: 2 })
      expect((yield* list({ title: "0%" })).ids).toEqual(["a"])
      expect((yield* list({ title: "%" })).ids).toEqual(["a"])
      expect((yield* list({ title: "a_b" })).ids).toEqual(["b"])
      expect((yield* list({ title: "\\" })).ids).toEqual(["b"])
      expect((yield* list({ title: "'" })).ids).toEqual(["c"])
      expect((yield* list({ title: "Äpf" })).ids).toEqual(["a"])
      expect((yield* list({ title: "äpf" })).ids).toEqual([])
      expect((yield* list({ title: "" })).ids).toEqual(["c", "b", "a"])
    }))

  test("sessions are found by a folder of any length, whatever it begins with", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      // No index can compress it to a fraction.
      const parts = Array.from({ length: 1_000 }, (_, index) => ((index * 2_654_435_761) % 2 ** 32).toString(36))
      const long = `/${parts.join("/")}`
      yield* create({ id: SessionId.make("a"), workdir: long })
      yield* create({ id: SessionId.make("b"), workdir: `${long}/é` })
      yield* create({ id: SessionId.make("c"), workdir: "/c" })
      yield* storage.patch(SessionId.make("c"), { workdir: long })
      expect((yield* list({ workdir: long })).ids).toEqual(["c", "a"])
      expect((yield* list({ workdir: `${long}/é` })).ids).toEqual(["b"])
      expect((yield* list({ workdir: long.slice(0, -1) })).ids).toEqual([])
      expect((yield* storage.patch(SessionId.make("c"), { workdir: `/${"é".repeat(4_000)}` })).workdir).toHaveLength(
        4_001
      )
    }))

  test("sessions are found and counted by the time since which they have changed", () =>
    Effect.gen(function* () {
      const [now, storage] = [yield* Now, yield* Storage]
      yield* createAll(3)
      yield* now.set(5_000)
      yield* storage.patch(SessionId.make("n3"), { metadata: { a: 1 } })
      yield* now.set(6_000)
      yield* append(SessionId.make("n1"), [userText("hi")])
      const since = (since: number, more: Parameters<typeof list>[0] = {}) => list({ ...more, since })
      expect((yield* since(0)).ids).toEqual(["n3", "n2", "n1"])
      expect(yield* since(5_000)).toEqual({ ids: ["n3", "n1"], next: null, total: 2 })
      expect((yield* since(5_000, { order: "activity" })).ids).toEqual(["n1", "n3"])
      expect((yield* since(6_000)).ids).toEqual(["n1"])
      expect(yield* since(6_001)).toEqual({ ids: [], next: null, total: 0 })
    }))

  test("sessions are found and counted by the beginning of their id", () =>
    Effect.gen(function* () {
      for (const id of ["ses_a", "ses_aZ", "ses_az", "ses_a_", "ses_a-1", "ses_b", "ses_A", "ses", "a"]) {
        yield* create({ id: SessionId.make(id), owner: id === "ses_az" ? smith : null })
      }
      const beginning = (idPrefix: string, more: Parameters<typeof list>[0] = {}) =>
        list({ ...more, idPrefix: SessionId.make(idPrefix) })
      expect(yield* beginning("ses_a")).toMatchObject({
        ids: ["ses_a-1", "ses_a_", "ses_az", "ses_aZ", "ses_a"],
        total: 5
      })
      expect((yield* beginning("a")).ids).toEqual(["a"])
      expect((yield* beginning("es")).ids).toEqual([])
      expect(yield* beginning("ses_a", { owner: smith })).toMatchObject({ ids: ["ses_az"], total: 1 })
      for (const order of ["created", "activity"] as const) {
        const first = yield* beginning("ses_a", { order, limit: 3 })
        expect(first).toMatchObject({ ids: ["ses_a-1", "ses_a_", "ses_az"], total: 5 })
        const rest = yield* beginning("ses_a", { order, limit: 3, after: first.next ?? undefined })
        expect(rest).toEqual({ ids: ["ses_aZ", "ses_a"], next: null, total: 5 })
      }
    }))

  test("a list by activity shows the last changed session first, to the millisecond, page by page", () =>
    Effect.gen(function* () {
      const [now, storage] = [yield* Now, yield* Storage]
      yield* createAll(5)
      const touch = (id: string, at: number) =>
        Effect.zipRight(now.set(at), storage.patch(SessionId.make(id), { metadata: { at } }))
      yield* touch("n2", 7_000)
      yield* touch("n4", 1_999)
      yield* touch("n1", 1_998)
      yield* touch("n3", 7_000)
      const pageAfter = (after: string | null) => list({ order: "activity", limit: 2, after: after ?? undefined })
      const first = yield* pageAfter(null)
      expect(first).toMatchObject({ ids: ["n3", "n2"], total: 5 })
      const second = yield* pageAfter(first.next)
      expect(second).toMatchObject({ ids: ["n4", "n1"], total: 5 })
      expect(yield* pageAfter(second.next)).toEqual({ ids: ["n5"], next: null, total: 5 })
      // A session that changes moves to the front, and later pages go on where they were.
      yield* touch("n5", 8_000)
      yield* touch("n1", 9_000)
      expect(yield* pageAfter(first.next)).toMatchObject({ ids: ["n4"], next: null })
      expect((yield* list({ order: "activity" })).ids).toEqual(["n1", "n5", "n3", "n2", "n4"])
      // After the clock is set back, sessions bear the earlier time.
      yield* touch("n1", 500)
      expect((yield* list({ order: "activity" })).ids).toEqual(["n5", "n3", "n2", "n4", "n1"])
    }))

  test("a list by activity can be filtered by owner, folder, parent and title", () =>
    Effect.gen(function* () {
      const now = yield* Now
      for (const [at, id, fields] of [
        [3_000, "a", { owner: smith }],
        [2_000, "b", { owner: smith, workdir: "/b", title: "other" }],
        [9_000, "c", {}],
        [4_000, "d", { owner: smith, parent: SessionId.make("a") }]
      ] as const) {
        yield* now.set(at)
        yield* create({ id: SessionId.make(id), ...fields })
      }
      const byActivity = (query: Parameters<typeof list>[0]) =>
        Effect.map(list({ ...query, order: "activity" }), ({ ids }) => ids)
      expect(yield* byActivity({ owner: smith })).toEqual(["d", "a", "b"])
      expect(yield* byActivity({ owner: smith, workdir: "/b" })).toEqual(["b"])
      expect(yield* byActivity({ parent: SessionId.make("a") })).toEqual(["d"])
      expect(yield* byActivity({ title: "title" })).toEqual(["c", "d", "a"])
      const first = yield* list({ owner: smith, order: "activity", limit: 2 })
      expect(first).toMatchObject({ ids: ["d", "a"], total: 3 })
      expect((yield* list({ owner: smith, order: "activity", after: first.next ?? undefined })).ids).toEqual(["b"])
    }))

  test("a list shows each session's activity and holder, and can be filtered by activity", () =>
    Effect.gen(function* () {
      const [storage, reader] = [yield* Storage, yield* StorageReader]
      const s3 = SessionId.make("s3")
      const s4 = SessionId.make("s4")
      const { lease } = yield* createAndStart()
      yield* createAndStart({ sessionId: s2, runId: r2, presence: presence("i2") })
      yield* create({ id: s3 })
      const r4 = RunId.make("r4")
      const last = yield* createAndStart({ sessionId: s4, runId: r4 })
      yield* storage.admit(admission({ sessionId: s4, runId: RunId.make("r5"), whenBusy: "queue" }))
      yield* storage.endRun(last.lease, { stopReason: "completed", detail: null })
      yield* openBatch(lease, "c1")
      yield* storage.ask(lease, question(q1, 3, "c1"))
      const { sessions } = yield* reader.sessions({})
      expect(sessions.map(({ activity, id, tenancy }) => [id, activity, tenancy?.engine?.instance])).toEqual([
        [s4, "queued", undefined],
        [s3, "idle", undefined],
        [s2, "running", "i2"],
        [s1, "asks", "i1"]
      ])
      expect(sessions.at(-1)?.tenancy?.lease).toEqual(lease)
      const which = (...activity: NonNullable<Parameters<typeof list>[0]["activity"]>) =>
        Effect.map(list({ activity }), ({ ids, total }) => [...ids, total])
      expect(yield* which("idle")).toEqual(["s3", 1])
      expect(yield* which("queued")).toEqual(["s4", 1])
      expect(yield* which("running")).toEqual(["s2", 1])
      expect(yield* which("asks")).toEqual(["s1", 1])
      expect(yield* which("crashed")).toEqual([0])
      expect(yield* which("idle", "asks")).toEqual(["s3", "s1", 2])
      expect(yield* which("queued", "running", "asks", "crashed")).toEqual(["s4", "s2", "s1", 3])
      expect(yield* which()).toEqual([0])
      expect((yield* list({ activity: ["idle", "running", "asks"], order: "activity", limit: 2 })).total).toBe(3)
    }))

  test("P9 a session is listed as crashed only if the caller names its current lease as crashed", () =>
    Effect.gen(function* () {
      const [storage, reader] = [yield* Storage, yield* StorageReader]
      const { lease } = yield* createAndStart()
      yield* createAndStart({ sessionId: s2, runId: r2, presence: presence("i2") })
      const all = yield* reader.tenancies
      expect(new Map(all.map(({ engine, lease: { sessionId } }) => [sessionId, engine?.instance]))).toEqual(
        new Map([
          [s1, "i1"],
          [s2, "i2"]
        ])
      )
      const idsOf = (activity: "running" | "crashed") =>
        Effect.map(list({ activity: [activity], crashed: [lease] }), ({ ids, total }) => [...ids, total])
      expect(yield* idsOf("crashed")).toEqual(["s1", 1])
      expect(yield* idsOf("running")).toEqual(["s2", 1])
      yield* storage.takeOver({ ...takeover(lease), recovery: "continue" }, presence("i3"))
      expect(yield* idsOf("crashed")).toEqual([0])
      expect(yield* idsOf("running")).toEqual(["s2", "s1", 2])
    }))

  test("a released run still holds its session, but no engine holds the run", () =>
    Effect.gen(function* () {
      const [storage, reader] = [yield* Storage, yield* StorageReader]
      const { lease } = yield* createAndStart()
      yield* storage.releaseRun(lease)
      expect(yield* reader.tenancies).toMatchObject([{ engine: null, lease: { sessionId: s1 } }])
      expect((yield* list({ activity: ["running"] })).ids).toEqual(["s1"])
      yield* storage.beginDelete(s1)
      expect((yield* reader.tenancies).length).toBe(1)
    }))
}
