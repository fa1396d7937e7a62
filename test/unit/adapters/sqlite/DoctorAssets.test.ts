/**
 * Rows that say where files are: what the files themselves still say when a row is damaged, and that no file is lost
 * with a row.
 */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import { readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { folder } from "../../services/storage/disk.js"
import { asides, damaged } from "./damaged.js"
import {
  assetFile,
  assetText,
  damages,
  databaseIn,
  engineOn,
  look,
  one,
  populated,
  repair,
  tamper
} from "./populated.js"

/** The assets of a session, with their contents. */
const contents = (data: string, sessionId: SessionId) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    return yield* Effect.forEach(yield* gateway.assets(sessionId), ({ id: assetId, mediaType, name }) =>
      Effect.map(Stream.runCollect(gateway.openAsset({ sessionId, assetId })), (parts) => ({
        name,
        mediaType,
        text: Buffer.concat(Chunk.toReadonlyArray(parts)).toString("utf8")
      }))
    )
  }).pipe(Effect.provide(engineOn(data)))

describe("a row of an asset", () => {
  for (const [column, value, becomes] of [
    ["id", "''", {}],
    ["id", "'ast_other'", {}],
    ["name", "NULL", { name: null }],
    ["media_type", "''", { mediaType: "application/octet-stream" }],
    ["size", "-1", {}],
    ["size", "7", {}],
    ["sha256", "''", {}],
    ["sha256", `'${"0".repeat(64)}'`, {}],
    ["created_at", "9007199254740992", {}],
    ["created_at", "5", {}],
    ["ordinal", "-1", {}]
  ] as const) {
    it.scopedLive(`keeps its file when one column is damaged: ${column} is ${value}`, () =>
      Effect.gen(function* () {
        const { data } = yield* damaged((data) => tamper(data, `UPDATE assets SET ${column} = ${value}`))
        expect(damages(yield* repair(data))).toEqual([])
        expect(damages(yield* look(data))).toEqual([])
        const asset = { name: "a.txt", mediaType: "text/plain", text: assetText, ...becomes }
        expect(yield* contents(data, one)).toEqual([asset])
        expect(asides(data).filter((name) => name.includes("assets/"))).toEqual([])
      })
    )
  }
})

it.scopedLive("a missing row of an asset leaves its file, which is kept aside", () =>
  Effect.gen(function* () {
    const { data, seen } = yield* damaged((data) => tamper(data, "DELETE FROM assets"))
    expect(damages(seen)).toEqual([`${assetFile(data)}: stray-file`])
    expect(damages(yield* repair(data))).toEqual([])
    expect(asides(data)).toHaveLength(1)
  })
)

it.scopedLive("a row of an asset stays while the folder of all files is missing, as they may be elsewhere", () =>
  Effect.gen(function* () {
    const { data, seen } = yield* damaged((data) => renameSync(join(data, "assets"), join(data, "elsewhere")))
    const expected = [expect.stringMatching(/asset ast_\w+: asset-unreadable$/)]
    expect(damages(seen)).toEqual(expected)
    expect(damages(yield* repair(data))).toEqual(expected)
    rmSync(join(data, "assets"), { recursive: true, force: true })
    renameSync(join(data, "elsewhere"), join(data, "assets"))
    expect(damages(yield* look(data))).toEqual([])
    expect((yield* contents(data, one)).map(({ text }) => text)).toEqual([assetText])
  })
)

describe("a session", () => {
  it.scopedLive("with a valid but wrong id gets the id that its files show", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) =>
        tamper(data, "UPDATE session_rows SET id = 'someone' WHERE id = 'one'")
      )
      expect(damages(seen)).toContain(`${databaseIn(data)}: shared-row-damaged`)
      expect(damages(yield* repair(data))).toEqual([])
      expect(damages(yield* look(data))).toEqual([])
      expect((yield* contents(data, one)).map(({ text }) => text)).toEqual([assetText])
    })
  )

  it.scopedLive("whose rows are all gone leaves its files, which are kept aside", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      yield* populated(data)
      const bytes = readFileSync(assetFile(data))
      tamper(
        data,
        ...["messages", "event_rows", "assets"].map((table) => `DELETE FROM ${table} WHERE session = 1`),
        "DELETE FROM session_rows WHERE id = 'one'"
      )
      expect(damages(yield* look(data))).toEqual([`${assetFile(data)}: stray-file`])
      expect(damages(yield* repair(data))).toEqual([])
      expect(readdirSync(join(data, "assets", "one"))).toEqual([])
      const [kept = ""] = asides(data)
      expect(readFileSync(join(data, "aside", kept)).equals(bytes)).toBe(true)
    })
  )
})
