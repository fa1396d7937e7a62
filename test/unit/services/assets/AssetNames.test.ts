import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, FastCheck, Option, Schema } from "effect"
import { Asset } from "../../../../src/domain/Asset.js"
import { EngineId } from "../../../../src/domain/Lease.js"
import { SessionId } from "../../../../src/domain/Session.js"
import * as EngineInName from "../../../../src/services/EngineInName.js"
import * as AssetNames from "../../../../src/services/assets/AssetNames.js"

/** Possible ids, and pairs that a file system could mistake for one another. */
const Ids = FastCheck.oneof(
  Arbitrary.make(SessionId),
  FastCheck.constantFrom("a", "A", "con", "CON", "Con", "nul", "com1", "COM1", "lpt9", "_a", "a_").filter(
    Schema.is(SessionId)
  )
)

const sha256 = FastCheck.stringMatching(/^[0-9a-f]{64}$/)
const Assets = FastCheck.tuple(Arbitrary.make(Asset), sha256).map(([asset, sha256]): Asset => ({ ...asset, sha256 }))

const reserved = /^(?:con|prn|aux|nul|com\d|lpt\d)$/i

describe("AssetNames", () => {
  it.prop("a session can be read from its folder's name", [Ids], ([id]) => {
    expect(AssetNames.sessionOf(AssetNames.folder(id))).toEqual(Option.some(id))
  })

  it.prop("two sessions have different folders, even where case does not count", [Ids, Ids], ([one, two]) => {
    const [a, b] = [one, two].map((id) => AssetNames.folder(id).toLowerCase())
    expect(a === b).toBe(one === two)
  })

  it.prop("a folder's name can be used on every platform", [Ids], ([id]) => {
    const name = AssetNames.folder(id)
    expect(name).toMatch(/^[a-z0-9=][a-z0-9=_-]{0,127}$/)
    expect(name).not.toMatch(reserved)
  })

  it.each(["", ".", "..", "A", "a b", ".DS_Store", "=", "a==", "=1", "con", "ä"])(
    "%j is no session's folder",
    (name) => {
      expect(AssetNames.sessionOf(name)).toEqual(Option.none())
    }
  )

  it.prop("a file's name is short, plain and recognised", [Assets], ([asset]) => {
    const name = AssetNames.file(asset)
    expect(AssetNames.isFile(name)).toBe(true)
    expect(AssetNames.isMarker(name)).toBe(false)
    expect(name).toMatch(/^[a-z0-9=][a-z0-9=_.-]*$/)
    expect(name.length).toBeLessThan(256)
  })

  // Earlier versions named an upload like an asset.
  const Tokens = FastCheck.constantFrom("upl_token", "ast_token")

  it.prop("a marker is recognised, and holds its engine", [Arbitrary.make(EngineId), Tokens], ([engine, token]) => {
    const name = AssetNames.marker(token, engine)
    expect(EngineInName.engineOf(name)).toEqual(Option.some(engine))
    expect(AssetNames.isMarker(name)).toBe(true)
    expect(AssetNames.isFile(name)).toBe(false)
  })
})
