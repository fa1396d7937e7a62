import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as Migrations from "../../../src/adapters/sqlite/Migrations.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as Golden from "../../support/golden/Golden.js"
import { folder } from "../../unit/services/storage/disk.js"
import * as Child from "./Child.js"
import * as Reopened from "./Reopened.js"

const all = { concurrency: "unbounded" } as const

it.scopedLive(
  "P9 many processes: eight open an empty folder at the same time; all come up, one migrates, no write is lost",
  () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      const ids = Array.from({ length: 8 }, (_, index) => SessionId.make(`p${index}`))
      const children = yield* Effect.forEach(ids, () => Child.start(data, { waits: true }), all)
      yield* Effect.forEach(children, (child) => child.get({ do: "ping" }), all)
      yield* Effect.forEach(children, (child) => child.get({ do: "open" }), all)
      yield* Effect.forEach(
        children,
        (child, index) =>
          Effect.gen(function* () {
            const session = ids[index] ?? Child.s1
            yield* child.get({ do: "create", session })
            yield* child.get({ do: "append", session, name: session, count: 5, bytes: 10, atOnce: false })
            yield* child.kill
          }),
        all
      )
      for (const [index, child] of children.entries()) {
        expect(child.stored()).toHaveLength(5)
        expect(yield* Reopened.names(data, ids[index] ?? Child.s1)).toEqual(child.stored())
      }
      expect(readdirSync(data).filter((name) => name !== "assets")).toEqual(["skein.db"])
      const connection = new Sqlite(join(data, "skein.db"), { readonly: true })
      const steps = connection.prepare("SELECT migration_id FROM migrations").pluck().all()
      connection.close()
      expect(steps).toEqual(Array.from({ length: Migrations.newest }, (_, index) => index + 1))
    })
)

it.scopedLive(
  "P9 many processes: eight open a folder of an older version at the same time; all come up, one migrates",
  () =>
    Effect.gen(function* () {
      const data = yield* Golden.copied(Golden.golden("0.1.0"))
      const children = yield* Effect.replicateEffect(Child.start(data, { waits: true, recoverMillis: null }), 8, all)
      yield* Effect.forEach(children, (child) => child.get({ do: "ping" }), all)
      yield* Effect.forEach(children, (child) => child.get({ do: "open" }), all)
      const [one, ...others] = yield* Effect.forEach(children, (child) => child.get({ do: "list" }), all)
      for (const other of others) expect(other).toEqual(one)
      yield* Effect.forEach(children, (child) => child.kill, all)
      expect(readdirSync(data).filter((name) => name.includes(".before"))).toHaveLength(1)
    })
)
