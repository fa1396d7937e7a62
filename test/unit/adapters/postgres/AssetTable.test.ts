/** Assets in a table: what is stored there, and what becomes of assets when connections are lost. */
import { it } from "@effect/vitest"
import { Chunk, Effect, Layer, Redacted, Stream } from "effect"
import { expect } from "vitest"
import * as AssetTable from "../../../../src/adapters/postgres/AssetTable.js"
import { AssetFiles, type Service } from "../../../../src/services/assets/AssetFiles.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Proxy from "../../../support/postgres/Proxy.js"
import { patterned, read, store, storeFromReused, upload, write } from "../s3/started.js"
import { emptyAssets } from "./storage.js"

const chunk = AssetTable.chunkBytes

const started = Effect.gen(function* () {
  const { schema, url } = yield* emptyAssets
  const files = yield* Effect.provide(AssetFiles, yield* Layer.build(AssetTable.layer({ schema, url })))
  const ask = <Row extends object>(text: string) =>
    Postgres.once<{ [K in keyof Row]: Row[K] }>(Redacted.value(url), text.replaceAll("$s", schema))
  return { files, ask, schema, url: Redacted.value(url) }
})

const readPieces = (files: Service, offset: number, length: number, file = "file") =>
  Effect.map(Stream.runCollect(files.read({ folder: "s1", file }, { offset, length })), Chunk.toReadonlyArray)

Postgres.describe("Assets in a table", () => {
  for (const size of [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk + 5]) {
    it.scopedLive(`of ${size} bytes are stored in chunks, and read back whole and in ranges`, () =>
      Effect.gen(function* () {
        const { ask, files } = yield* started
        const content = patterned(size)
        yield* store(files, content)
        const chunks = yield* ask<{ readonly length: number }>(
          "SELECT length(bytes) AS length FROM $s.asset_chunks ORDER BY n"
        )
        const sizes = Array.from({ length: Math.ceil(size / chunk) }, (_, n) => Math.min(chunk, size - n * chunk))
        expect(chunks.map(({ length }) => length)).toEqual(sizes)
        for (const [offset, length] of [
          [0, size],
          [0, 1],
          [size >> 1, 3],
          [size, 5],
          [Math.max(0, size - 1), 9],
          [Math.max(0, chunk - 2), 4],
          [size, 0]
        ] as const) {
          expect(Buffer.compare(yield* read(files, offset, length), content.subarray(offset, offset + length))).toBe(0)
        }
        expect(yield* Effect.flip(readPieces(files, 0, 0, "none"))).toMatchObject({ missing: true })
      })
    )
  }

  it.scopedLive("a range is read only from its own chunks, one chunk at a time", () =>
    Effect.gen(function* () {
      const { ask, files } = yield* started
      const content = patterned(5 * chunk)
      yield* store(files, content)
      yield* ask("DELETE FROM $s.asset_chunks WHERE n NOT IN (1, 2)")
      const pieces = yield* readPieces(files, chunk + 7, chunk)
      expect(pieces.map(({ length }) => length)).toEqual([chunk - 7, 7])
      expect(Buffer.compare(Buffer.concat(pieces), content.subarray(chunk + 7, 2 * chunk + 7))).toBe(0)
      expect(yield* Effect.flip(readPieces(files, 2 * chunk, chunk + 1))).toMatchObject({ missing: true })
    })
  )

  it.scopedLive("the caller's bytes are copied when they are appended, so it may reuse its buffer", () =>
    Effect.gen(function* () {
      const { files } = yield* started
      yield* storeFromReused(files)
      expect([...(yield* read(files, 0, 3))]).toEqual([1, 2, 3])
    })
  )

  it.scopedLive("P11 no leftovers: chunks go with their marker, and later writes under it fail as missing", () =>
    Effect.gen(function* () {
      const { ask, files } = yield* started
      yield* files.begin(upload)
      const failed = yield* Effect.scoped(
        Effect.gen(function* () {
          const content = yield* files.create(upload)
          yield* content.append(patterned(chunk))
          expect(yield* files.end(upload)).toBe(true)
          expect(yield* Effect.flip(content.append(patterned(chunk)))).toMatchObject({ missing: true })
          return yield* Effect.flip(content.sync)
        })
      )
      expect(failed).toMatchObject({ missing: true })
      expect(yield* Effect.flip(files.place(upload, "file"))).toMatchObject({ missing: true })
      expect(yield* files.end(upload)).toBe(false)
      expect(yield* ask("SELECT 1 FROM $s.asset_chunks")).toEqual([])
      expect(yield* files.folders).toEqual([])
    })
  )

  it.scopedLive("content is created once, stays within the limit, and is placed only when it is whole", () =>
    Effect.gen(function* () {
      const { files } = yield* started
      yield* files.begin(upload)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const content = yield* files.create(upload)
          yield* content.append(patterned(chunk))
          expect(yield* Effect.flip(files.create(upload))).toMatchObject({ missing: false })
          expect(yield* Effect.flip(files.place(upload, "file"))).toMatchObject({ missing: false })
          const error = yield* Effect.flip(content.append(patterned(AssetTable.mostBytes)))
          expect(error.detail).toContain(`${AssetTable.mostBytes} bytes`)
        })
      )
      expect(files.mostBytes).toBe(32 * 1024 * 1024)
    })
  )

  it.scopedLive("a place is taken once, even by many uploads at the same time", () =>
    Effect.gen(function* () {
      const { files } = yield* started
      const uploads = Array.from({ length: 8 }, (_, n) => ({ folder: "s1", marker: `.upl_${n}.engine.upload` }))
      for (const to of uploads) {
        yield* files.begin(to)
        yield* write(files, { content: Buffer.from(to.marker), to })
      }
      const taken = yield* Effect.forEach(uploads, (to) => files.place(to, "file"), { concurrency: "unbounded" })
      expect(taken.filter((isTaken) => isTaken)).toHaveLength(1)
      expect((yield* files.entries("s1")).toSorted()).toEqual(
        [...uploads.map(({ marker }) => marker), "file"].toSorted()
      )
    })
  )

  it.scopedLive("a marker's age is measured by the database's clock, and placing a file resets it", () =>
    Effect.gen(function* () {
      const { ask, files } = yield* started
      expect(yield* files.age(upload)).toBe(0)
      yield* files.begin(upload)
      yield* ask("UPDATE $s.asset_files SET begun_at = begun_at - interval '3 days'")
      const days = (yield* files.age(upload)) / (24 * 60 * 60 * 1000)
      expect(Math.round(days * 100)).toBe(300)
      yield* write(files, { content: patterned(1) })
      yield* files.place(upload, "file")
      expect(yield* files.age(upload)).toBeLessThan(60_000)
    })
  )

  for (const [when, what] of [
    ["is done but unanswered", "unheard"],
    ["is sent", "unsent"]
  ] as const) {
    it.scopedLive(
      `P2 seen means stored: a connection that is lost when any statement ${when} makes no difference`,
      () =>
        Effect.gen(function* () {
          const { schema, url } = yield* started
          const content = patterned(2 * chunk + 9)
          let all = 0
          for (let number = 1; number <= Math.max(all, 1); number++) {
            const proxy = yield* Proxy.make(url)
            const table = AssetTable.layer({ schema, url: Redacted.make(proxy.url) })
            const files = yield* Effect.provide(AssetFiles, yield* Layer.build(table))
            yield* proxy.cut({ when: (statement) => statement.number === number, what })
            const file = `file${number}`
            yield* store(files, content, file)
            expect(Buffer.concat(yield* readPieces(files, 0, content.length, file)).equals(content)).toBe(true)
            expect(yield* files.remove({ folder: "s1", file })).toBe(true)
            expect(yield* files.entries("s1")).toEqual([])
            all = proxy.statements.length
          }
          expect(all).toBeGreaterThan(12)
        })
    )
  }
})
