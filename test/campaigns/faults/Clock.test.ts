/** A wall clock that is set while a process runs. */
import { expect } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Fiber } from "effect"
import { join } from "node:path"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as Child from "../processes/Child.js"
import * as Reopened from "../processes/Reopened.js"
import { folder } from "../../unit/services/storage/disk.js"
import { withShim } from "./Machine.js"
import * as Shim from "./Shim.js"

const { s1 } = Child
const hanging = SessionId.make("hanging")

const hour = 3600
const decade = 10 * 365 * 24 * hour

withShim(
  "a wall clock that jumps an hour or ten years either way changes no order, ends no run and loses nothing",
  () =>
    Effect.gen(function* () {
      const data = yield* folder
      const shim = yield* Shim.make(data)
      const child = yield* Child.open(data, { env: shim.env })
      const append = (name: string) =>
        child.get({ do: "append", session: s1, name, count: 2, bytes: 10, atOnce: false })
      const send = (key: string) => child.get({ do: "send", session: s1, text: key, key })
      yield* child.get({ do: "create", session: s1 })
      yield* child.get({ do: "create", session: hanging })
      const run = RunId.make(String(yield* child.get({ do: "send", session: hanging, text: "go", key: "k" })))
      yield* append("before")
      const began = Number(yield* child.get({ do: "time" }))
      const other = yield* Child.open(data)
      for (const clockSeconds of [hour, -hour, decade, -decade]) {
        shim.set({ clockSeconds })
        const shown = Number(yield* child.get({ do: "time" }))
        expect(Math.abs(shown - began - clockSeconds * 1000)).toBeLessThan(hour * 500)
        yield* append(`at ${clockSeconds}`)
        const sent = yield* send(`key ${clockSeconds}`)
        const ended = yield* child.get({ do: "await", session: s1, run: RunId.make(String(sent)) })
        expect(ended).toBe("completed")
        expect(yield* send(`key ${clockSeconds}`)).toBe(sent)
        // Another process neither takes the run over nor writes into its session.
        expect(yield* other.refused({ do: "send", session: hanging, text: "mine", key: "other" })).toMatchObject({
          _tag: "SessionBusy",
          runId: run
        })
      }
      expect(yield* child.get({ do: "list" })).toEqual([hanging, s1])
      yield* child.get({ do: "cancel", run })
      expect(yield* child.get({ do: "await", session: hanging, run })).toBe("cancelled")
      const names = yield* other.get({ do: "read", session: s1 })
      yield* child.kill
      yield* other.kill
      expect(yield* Reopened.names(data, s1)).toEqual(names)
      expect((yield* Reopened.names(data, s1)).filter((name) => /^(before|at)/.test(name))).toEqual(child.stored())
    })
)

withShim("the wait for a lock does not depend on the wall clock", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const shim = yield* Shim.make(data)
    const child = yield* Child.start(data, { env: shim.env, waits: true, busyMaxMillis: 1_000 })
    const lock = Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => new Sqlite(join(data, "skein.db"), { timeout: 0 })),
        (connection) => Effect.sync(() => connection.close())
      ),
      (connection) => {
        connection.exec("BEGIN IMMEDIATE")
        return Effect.sync(() => void connection.exec("ROLLBACK"))
      }
    )
    /** How often the file was read: again and again while opening waits. */
    const looks = () => shim.trace().filter(({ call, file }) => call === "read" && file === "skein.db").length
    /** Makes the clock jump while opening waits for the lock. */
    const openDuring = (clockSeconds: number) =>
      Effect.gen(function* () {
        shim.set({ trace: true })
        const before = looks()
        const opening = yield* Effect.fork(child.ask({ do: "open" }))
        while (looks() < before + 10) yield* child.get({ do: "wait", millis: 10 })
        shim.set({ clockSeconds })
        yield* child.get({ do: "wait", millis: 50 })
        return opening
      })
    const unlock = yield* lock
    expect(yield* Fiber.join(yield* openDuring(-decade))).toMatchObject({
      failure: { _tag: "StorageUnusable", reason: "locked" }
    })
    const opening = yield* openDuring(decade)
    yield* unlock
    expect(yield* Fiber.join(opening)).toMatchObject({ _tag: "Done" })
  })
)
