/** Engines that are working when a newer version migrates their data folder. */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { folder } from "../../unit/services/storage/disk.js"
import * as NewerVersion from "../../support/NewerVersion.js"
import * as Child from "./Child.js"

const { s1 } = Child

const refusal = { _tag: "StorageUnusable", reason: "newer-version" }

it.scopedLive("P13 no write of an engine is stored once a newer version has migrated its database", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const child = yield* Child.open(data)
    yield* child.get({ do: "create", session: s1 })
    const append = { do: "append", session: s1, name: "a", count: 100, bytes: 10, atOnce: false } as const
    // However fast it is, it still writes when the newer version comes.
    const appending = yield* Effect.fork(Effect.repeat(child.get(append), { until: () => child.failures().length > 0 }))
    yield* child.get({ do: "list" })
    const before = NewerVersion.migrate(data)
    yield* Fiber.join(appending)
    expect(child.failures().length).toBeGreaterThan(0)
    expect(child.failures()[0]?.failure).toMatchObject(refusal)
    for (const command of [
      { do: "create", session: s1 },
      { do: "send", session: s1, text: "x", key: "x" },
      { do: "delete", session: s1 },
      { do: "save", session: s1, bytes: 10 },
      { do: "read", session: s1 },
      { do: "list" }
    ] as const) {
      expect(yield* child.refused(command)).toMatchObject(refusal)
    }
    yield* child.get({ do: "close" })
    expect(NewerVersion.rows(data)).toEqual(before)
  })
)

it.scopedLive("P13 an engine whose database a newer version has migrated lets go of its runs, and says so", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const child = yield* Child.open(data)
    yield* child.get({ do: "create", session: s1 })
    yield* child.get({ do: "send", session: s1, text: "hang", key: "k" })
    const hearing = yield* Effect.fork(child.refused({ do: "hear", session: s1, type: "run.ended" }))
    const before = NewerVersion.migrate(data)
    expect(yield* Fiber.join(hearing)).toMatchObject(refusal)
    yield* child.get({ do: "close" })
    expect(NewerVersion.rows(data)).toEqual(before)
    yield* child.signal("SIGKILL")
    const { stderr } = yield* child.ended
    expect(stderr.match(/a newer version has migrated the database/g)).toHaveLength(1)
  })
)
