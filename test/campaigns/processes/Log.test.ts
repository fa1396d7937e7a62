import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Fiber } from "effect"
import { statSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../unit/services/storage/disk.js"
import * as Child from "./Child.js"
import * as Reopened from "./Reopened.js"

const { s1 } = Child

/** Bytes that the log holds before it is written back, as `wal_autocheckpoint` sets it. */
const roundBytes = 1000 * 4096

it.scopedLive(
  "P9 many processes: despite constant readers, the log is written back and reused from its beginning",
  () =>
    Effect.gen(function* () {
      const data = yield* folder
      const log = () => statSync(join(data, "skein.db-wal")).size
      const writer = yield* Child.open(data)
      yield* writer.get({ do: "create", session: s1 })
      const append = (name: string, count: number) =>
        writer.get({ do: "append", session: s1, name, count, bytes: 256 * 1024, atOnce: false })
      yield* append("first", 5)
      const readers = yield* Effect.forEach([1, 2], () => Child.open(data), { concurrency: 2 })
      const reading = yield* Effect.forEach(readers, (reader) => Effect.fork(reader.get({ do: "readOn", session: s1 })))
      const times = Effect.forEach(readers, (reader) => reader.get({ do: "timesRead" }))
      let largest = 0
      for (let round = 0; round < 12 || (yield* times).some((count) => Number(count) < 6); round++) {
        yield* append(`round ${round}`, 6)
        largest = Math.max(largest, log())
      }
      yield* Effect.forEach(readers, (reader) => reader.get({ do: "stop" }))
      yield* Fiber.joinAll(reading)
      expect(largest).toBeLessThan(3 * roundBytes)

      // A snapshot that is held for long keeps the log; once it is gone, the log no longer grows.
      const holder = new Sqlite(join(data, "skein.db"), { readonly: true })
      holder.exec("BEGIN")
      holder.prepare("SELECT count(*) FROM messages").get()
      yield* append("held", 36)
      const grown = log()
      expect(grown).toBeGreaterThan(2 * roundBytes)
      holder.close()
      yield* append("released", 36)
      expect(log()).toBeLessThan(grown + roundBytes / 2)
      yield* writer.kill
      expect(yield* Reopened.names(data, s1)).toEqual(writer.stored())
    })
)
