/**
 * A process that migrates a golden data folder is killed at statements (at every statement in `npm run test:long`); the
 * next open leaves what it should.
 */
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Effect, Layer, Logger, Option, Schema } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as SqliteDatabase from "../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import * as Golden from "../../support/golden/Golden.js"
import * as Long from "../../support/Long.js"
import { bundle } from "../../support/programs/Bundle.js"
import { start } from "../../support/programs/Process.js"
import { folder } from "../../unit/services/storage/disk.js"
import { dataOf } from "./Folders.js"
import * as Points from "./Points.js"
import { Line, Setup } from "./Protocol.js"
import * as Torture from "./Torture.js"

const program = bundle(new URL("./opener.ts", import.meta.url), { whole: true })

/** A copy of the golden folder as a case of torture, removed with the scope. */
const caseOf = (golden: string) =>
  Effect.map(folder, (directory) => {
    Golden.copy(join(golden, "data"), dataOf(directory))
    return directory
  })

/** Has a process open the database, killed at a point. Returns what it crossed, or none if it was killed. */
const opened = (directory: string, point: Points.Point | null) =>
  Effect.gen(function* () {
    const own = point !== null && Points.isOwn(point.name) ? { name: point.name, at: point.at } : null
    const setup = Schema.encodeSync(Setup)({ folder: directory, seed: 1, place: 0, script: "open", point: own })
    const counts = join(directory, "counts")
    const child = yield* start(process.execPath, [yield* program, setup], {
      env: { PATH: process.env["PATH"] ?? "", ...Points.environment(dataOf(directory), counts, point) }
    })
    const { code, signal, stderr, stdout } = yield* child.ended
    if (signal === "SIGKILL") return Option.none()
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const lines = stdout.split("\n").filter((line) => line.startsWith("{"))
    const said = lines.map((line) => Schema.decodeUnknownSync(Line)(line)).find(({ _tag }) => _tag === "Ended")
    const crossed = said?._tag === "Ended" ? said.crossed : {}
    return Option.some<Points.Counts>({ ...crossed, ...Points.crossed(counts) })
  }).pipe(Effect.scoped)

/** Opens and closes the database, in this process. */
const reopened = (directory: string) =>
  Layer.build(Layer.provide(SqliteDatabase.layer, Layer.succeed(DataDirectory, dataOf(directory)))).pipe(
    Effect.scoped,
    Effect.provide(Logger.remove(Logger.defaultLogger))
  )

/** The schema and every row of every table, without the times at which the migration steps ran. */
const contentOf = (path: string) => {
  const connection = new Sqlite(path, { readonly: true })
  const schema = connection.prepare<[], object>("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all()
  const names = connection.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all()
  const rows = names.map((name) => {
    const all = connection.prepare<[], Record<string, unknown>>(`SELECT * FROM "${name}"`).all()
    return [name, name === "migrations" ? all.map(({ created_at: _, ...row }) => row) : all] as const
  })
  const marks = ["user_version", "application_id"].map((name) => connection.pragma(name, { simple: true }))
  connection.close()
  return { schema, rows, marks }
}

/** Paths of the copies that migrations made. */
const copiesIn = (directory: string): ReadonlyArray<string> =>
  readdirSync(dataOf(directory))
    .filter((name) => name.includes(".before"))
    .map((name) => join(dataOf(directory), name))

const databaseOf = (directory: string) => join(dataOf(directory), "skein.db")

/** Points of system calls that leave different states on disk. */
const calls = new Set(["write amid", "sync before", "sync after", "rename before", "rename after", "unlink before"])

/**
 * At how many crossings of a point the process is killed. A kill after a statement leaves the same as a kill before the
 * next.
 */
const most = (name: string, times: number): number =>
  name === "statement before" ? times : name.endsWith("after") && Points.isOwn(name) ? 4 : calls.has(name) ? 3 : 0

describe.each(Golden.versions)("P13 a migration of a folder that version %s left", (version) => {
  it.live(
    `P13 ${version}: killed and reopened, it leaves the same database as an undisturbed migration`,
    () =>
      Effect.gen(function* () {
        const golden = Golden.golden(version)
        const undisturbed = yield* caseOf(golden)
        const untouched = contentOf(databaseOf(yield* caseOf(golden)))
        const crossed = Option.getOrThrow(yield* opened(undisturbed, null))
        const content = contentOf(databaseOf(undisturbed))
        const isRewritten = copiesIn(undisturbed).length > 0
        const points = Object.entries(crossed).flatMap(([name, times]) =>
          Long.some(Torture.spread(name, times, most(name, times)), name === "statement before" ? 9 : 2)
        )
        expect(points.length).toBeGreaterThan(10)
        const ends = yield* Effect.forEach(
          points,
          (point) =>
            Effect.gen(function* () {
              const directory = yield* caseOf(golden)
              const isKilled = Option.isNone(yield* opened(directory, point))
              yield* reopened(directory)
              expect([point, contentOf(databaseOf(directory))]).toEqual([point, content])
              const copies = copiesIn(directory)
              expect([point, copies.length]).toEqual([point, isRewritten ? 1 : 0])
              expect([point, copies.filter((copy) => copy.includes(".partial"))]).toEqual([point, []])
              for (const copy of copies) expect([point, contentOf(copy)]).toEqual([point, untouched])
              return { point, isKilled }
            }).pipe(Effect.scoped),
          { concurrency: 2 }
        )
        expect(ends.filter(({ isKilled }) => !isKilled)).toEqual([])
      }).pipe(Effect.scoped),
    0
  )
})
