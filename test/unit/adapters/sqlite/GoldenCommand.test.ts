/** What `npm run golden` makes keeps the promises of every golden data folder. */
import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { join } from "node:path"
import { tables } from "../../../../src/services/storage/sql/Tables.js"
import { make } from "../../../support/golden/Make.js"
import * as Golden from "../../../support/golden/Golden.js"
import { promised } from "../../../support/golden/Promised.js"
import { folder } from "../../services/storage/disk.js"
import { databaseIn } from "./populated.js"

it.scopedLive(
  "P13 a golden data folder of this version has every kind of row, and goes on like those of other versions",
  () =>
    Effect.gen(function* () {
      const golden = join(yield* folder, "golden")
      yield* make(golden, "now")
      const connection = new Sqlite(databaseIn(yield* Golden.copied(golden)), { readonly: true })
      const count = (sql: string) => connection.prepare<[], number>(`SELECT count(*) FROM ${sql}`).pluck().get()
      const empty = tables.filter(({ name }) => count(name) === 0).map(({ name }) => name)
      expect(empty).toEqual([])
      const kinds = [
        "runs WHERE state = 'queued'",
        "runs WHERE state = 'running' AND released_at IS NOT NULL",
        "runs WHERE idempotency_key IS NOT NULL",
        "calls WHERE state = 'started'",
        "questions WHERE answer IS NULL",
        "session_rows WHERE state = 'hidden' AND ordinal IN (SELECT session FROM messages)"
      ]
      expect(kinds.filter((kind) => count(kind) === 0)).toEqual([])
      connection.close()
      for (const [, check] of promised) yield* check(golden)
    }),
  0
)
