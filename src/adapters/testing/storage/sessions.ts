import { Effect } from "effect"
import { Owner } from "../../../domain/Session.js"
import * as Usage from "../../../domain/Usage.js"
import { Storage, StorageReader } from "../../../services/storage/Storage.js"
import { append, create, createAndStart, events, refused, s1, s2, session, eventLines, transcript } from "./fixture.js"
import { Now, type Test } from "./StorageTest.js"
import { expect } from "./Vitest.js"

const smith = Owner.make("smith")

export const sessionTests = (test: Test) => {
  test("a new session has the fields that it was created with, and one event, session.created", () =>
    Effect.gen(function* () {
      const made = yield* create({ owner: smith, metadata: { a: 1, b: [null, "ü"] } })
      expect(made).toEqual({
        id: s1,
        placement: null,
        parent: null,
        agent: null,
        title: "Title",
        named: true,
        owner: smith,
        workdir: "/home/me",
        model: null,
        metadata: { a: 1, b: [null, "ü"] },
        usage: Usage.zero,
        head: 0,
        cursor: 1,
        createdAt: 1_000,
        updatedAt: 1_000
      })
      expect(yield* session()).toEqual(made)
      expect(yield* events()).toEqual([
        { type: "session.created", sessionId: s1, cursor: 1, at: 1_000, actor: null, title: "Title" }
      ])
    }))

  test("white space in a title is folded; a session created without a title is unnamed", () =>
    Effect.gen(function* () {
      expect(yield* create({ title: "  a\n\tb  " })).toMatchObject({ title: "a b", named: true })
      expect(yield* create({ id: s2, title: null })).toMatchObject({ title: "New session", named: false })
    }))

  test("P12 clear refusal: a session with an empty or too long title is not created", () =>
    Effect.gen(function* () {
      const title = { _tag: "InvalidInput", field: "title", limit: "1 to 200 characters" }
      expect(yield* refused(create({ title: " \n " }))).toEqual({ ...title, actual: "0" })
      expect(yield* refused(create({ title: "ä".repeat(201) }))).toEqual({ ...title, actual: "201" })
      expect(yield* refused(session())).toEqual({ _tag: "SessionNotFound", sessionId: s1 })
      expect(yield* create({ title: "😀".repeat(200) })).toMatchObject({ cursor: 1 })
    }))

  test("P7 an id belongs to one session", () =>
    Effect.gen(function* () {
      yield* create({ title: "first" })
      expect(yield* refused(create({ title: "second" }))).toEqual({ _tag: "SessionExists", sessionId: s1 })
      expect(yield* session()).toMatchObject({ title: "first" })
    }))

  test("renaming folds the title, marks the session as named and adds an event", () =>
    Effect.gen(function* () {
      yield* create({ title: null })
      yield* (yield* Now).set(2_000)
      const renamed = yield* (yield* Storage).patch(s1, { title: " New \r\n name " })
      expect(renamed).toMatchObject({ title: "New name", named: true, cursor: 2, createdAt: 1_000, updatedAt: 2_000 })
      expect(yield* session()).toEqual(renamed)
      expect((yield* events(1))[0]).toEqual({
        type: "session.renamed",
        sessionId: s1,
        cursor: 2,
        at: 2_000,
        actor: null,
        title: "New name"
      })
    }))

  test("P12 clear refusal: renaming to a bad title names the field and the limit, and changes nothing", () =>
    Effect.gen(function* () {
      const before = yield* create()
      const storage = yield* Storage
      const title = { _tag: "InvalidInput", field: "title", limit: "1 to 200 characters" }
      expect(yield* refused(storage.patch(s1, { title: "" }))).toEqual({ ...title, actual: "0" })
      expect(yield* refused(storage.patch(s1, { title: "ä".repeat(201) }))).toEqual({ ...title, actual: "201" })
      expect(yield* refused(storage.patch(s2, { title: "" }))).toEqual({ ...title, actual: "0" })
      expect(yield* session()).toEqual(before)
    }))

  test("the model can be set and reset", () =>
    Effect.gen(function* () {
      yield* create()
      const storage = yield* Storage
      const model = { provider: "anthropic", model: "claude", options: { temperature: 0.5, stop: ["END"] } }
      expect(yield* storage.patch(s1, { model })).toMatchObject({ model, cursor: 2 })
      expect(yield* session()).toMatchObject({ model })
      expect(yield* eventLines(1)).toEqual(["session.model claude"])
      expect(yield* storage.patch(s1, { model: null })).toMatchObject({ model: null, cursor: 3 })
    }))

  test("the agent can be set and reset", () =>
    Effect.gen(function* () {
      yield* create({ agent: "coder" })
      const storage = yield* Storage
      expect(yield* session()).toMatchObject({ agent: "coder" })
      expect(yield* storage.patch(s1, { agent: "reviewer" })).toMatchObject({ agent: "reviewer", cursor: 2 })
      expect(yield* session()).toMatchObject({ agent: "reviewer" })
      expect(yield* eventLines(1)).toEqual(["session.agent reviewer"])
      expect(yield* storage.patch(s1, { agent: null })).toMatchObject({ agent: null, cursor: 3 })
      expect(yield* eventLines(1)).toEqual(["session.agent none", "session.agent none"])
    }))

  test("a patch changes all its fields or none; title, model, agent and folder get an event each", () =>
    Effect.gen(function* () {
      yield* create({ metadata: { a: 1 } })
      const storage = yield* Storage
      const model = { provider: "p", model: "m" }
      const changed = yield* storage.patch(s1, {
        title: "Other",
        model,
        agent: "coder",
        workdir: "/moved",
        metadata: { b: 2 }
      })
      expect(changed).toMatchObject({
        title: "Other",
        model,
        agent: "coder",
        workdir: "/moved",
        metadata: { a: 1, b: 2 },
        cursor: 5
      })
      expect(yield* session()).toEqual(changed)
      expect(yield* eventLines(1)).toEqual([
        "session.renamed Other",
        "session.model m",
        "session.agent coder",
        "session.moved /moved"
      ])
      const tooLong = storage.patch(s1, { title: "Third", agent: null, metadata: { c: "x".repeat(70_000) } })
      expect(yield* refused(tooLong)).toMatchObject({ _tag: "InvalidInput", field: "metadata" })
      expect(yield* session()).toEqual(changed)
      yield* (yield* Now).set(9_000)
      expect(yield* storage.patch(s1, {})).toEqual(changed)
      expect(yield* session()).toEqual(changed)
    }))

  test("the folder can be left out, set and reset", () =>
    Effect.gen(function* () {
      yield* create({ workdir: null })
      const storage = yield* Storage
      expect(yield* session()).toMatchObject({ workdir: null })
      expect(yield* storage.patch(s1, { workdir: "/moved" })).toMatchObject({ workdir: "/moved", cursor: 2 })
      expect(yield* session()).toMatchObject({ workdir: "/moved" })
      expect(yield* eventLines(1)).toEqual(["session.moved /moved"])
      expect(yield* storage.patch(s1, { workdir: null })).toMatchObject({ workdir: null, cursor: 3 })
      expect(yield* eventLines(1)).toEqual(["session.moved nowhere", "session.moved nowhere"])
    }))

  test("metadata is patched field by field: other fields stay, null removes a field, no event is added", () =>
    Effect.gen(function* () {
      yield* create({ metadata: { a: 1, b: { c: 2 }, toString: "kept" } })
      const storage = yield* Storage
      yield* (yield* Now).set(3_000)
      yield* Effect.all([storage.patch(s1, { metadata: { x: 1 } }), storage.patch(s1, { metadata: { y: 2 } })], {
        concurrency: "unbounded"
      })
      const patched = yield* storage.patch(s1, { metadata: { a: null, b: [1], absent: null, z: "😀\ud800" } })
      expect(patched).toMatchObject({ cursor: 1, updatedAt: 3_000 })
      expect(patched.metadata).toEqual({ b: [1], toString: "kept", x: 1, y: 2, z: "😀\ud800" })
      expect(yield* session()).toEqual(patched)
    }))

  test("metadata can have unusual field names", () =>
    Effect.gen(function* () {
      yield* create()
      const patch: { readonly [field: string]: number } = Object.fromEntries([
        ["constructor", 1],
        ["a.b", 2],
        ["", 3],
        ['"$', 4]
      ])
      yield* (yield* Storage).patch(s1, { metadata: patch })
      expect(new Map(Object.entries((yield* session()).metadata))).toEqual(new Map(Object.entries(patch)))
    }))

  test("P12 clear refusal: a refused patch changes nothing", () =>
    Effect.gen(function* () {
      yield* create({ metadata: { a: 1, b: 2 } })
      const before = yield* session()
      const patch = { a: null, c: 3, d: "x".repeat(65_536) }
      expect(yield* refused((yield* Storage).patch(s1, { metadata: patch }))).toMatchObject({ field: "metadata" })
      expect(yield* session()).toEqual(before)
    }))

  test("P7 one boundary: no concurrent patch is lost", () =>
    Effect.gen(function* () {
      yield* create()
      const storage = yield* Storage
      const fields = Array.from({ length: 8 }, (_, index) => `field${index}`)
      yield* Effect.forEach(fields, (field) => storage.patch(s1, { metadata: { [field]: true } }), {
        concurrency: "unbounded"
      })
      expect((yield* session()).metadata).toEqual(Object.fromEntries(fields.map((field) => [field, true])))
    }))

  test("P12 clear refusal: the size of the metadata after a patch is limited", () =>
    Effect.gen(function* () {
      yield* create({ metadata: { half: "x".repeat(40_000) } })
      const storage = yield* Storage
      const before = yield* session()
      expect(yield* refused(storage.patch(s1, { metadata: { more: "x".repeat(40_000) } }))).toEqual({
        _tag: "InvalidInput",
        field: "metadata",
        limit: "at most 65536 bytes",
        actual: "80021 bytes"
      })
      expect(yield* session()).toEqual(before)
      yield* storage.patch(s1, { metadata: { half: null, more: "x".repeat(40_000) } })
    }))

  test("P7 one boundary: a session can be renamed, patched and given a model while a run holds it", () =>
    Effect.gen(function* () {
      yield* createAndStart()
      const storage = yield* Storage
      yield* storage.patch(s1, { title: "Other" })
      yield* storage.patch(s1, { model: { provider: "p", model: "m" } })
      expect(yield* storage.patch(s1, { metadata: { a: 1 } })).toMatchObject({ title: "Other", metadata: { a: 1 } })
    }))

  test("P12 a refusal names the session that is missing", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      const reader = yield* StorageReader
      const missing = { _tag: "SessionNotFound", sessionId: s1 }
      expect(yield* refused(storage.patch(s1, { title: "x" }))).toEqual(missing)
      expect(yield* refused(storage.patch(s1, { model: null }))).toEqual(missing)
      expect(yield* refused(storage.patch(s1, { metadata: {} }))).toEqual(missing)
      expect(yield* refused(append(s1, []))).toEqual(missing)
      expect(yield* refused(storage.beginDelete(s1))).toEqual(missing)
      expect(yield* refused(reader.session(s1))).toEqual(missing)
      expect(yield* refused(reader.activity(s1))).toEqual(missing)
      expect(yield* refused(reader.occupancy(s1))).toEqual(missing)
      expect(yield* refused(reader.openBatch(s1))).toEqual(missing)
      expect(yield* refused(transcript())).toEqual(missing)
      expect(yield* refused(reader.events({ sessionId: s1, after: 0, limit: 1 }))).toEqual(missing)
      expect(yield* refused(reader.assets(s1))).toEqual(missing)
      expect(yield* reader.questions(s1)).toEqual([])
      expect((yield* reader.granted(s1)).size).toBe(0)
    }))

  test("P6 reads never write: reading a session leaves it and its events unchanged", () =>
    Effect.gen(function* () {
      yield* createAndStart()
      const reader = yield* StorageReader
      const before = yield* session()
      yield* (yield* Now).set(9_000)
      yield* reader.sessions({})
      yield* transcript()
      yield* reader.activity(s1)
      yield* reader.openBatch(s1)
      yield* reader.events({ sessionId: s1, after: 0, limit: 10 })
      yield* reader.questions(null)
      yield* reader.granted(s1)
      yield* reader.assets(s1)
      yield* reader.deleting
      expect(yield* session()).toEqual(before)
      expect((yield* events()).length).toBe(before.cursor)
    }))
}
