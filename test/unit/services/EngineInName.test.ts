import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Encoding, FastCheck, Option } from "effect"
import { EngineId } from "../../../src/domain/Lease.js"
import * as EngineInName from "../../../src/services/EngineInName.js"

const Words = FastCheck.stringMatching(/^[a-z_0-9]{1,12}$/)

describe("EngineInName", () => {
  it.prop(
    "a name holds its engine, whatever its token and ending",
    [Arbitrary.make(EngineId), Words, Words],
    (given) => {
      const [engine, token, ending] = given
      const name = EngineInName.name(token, engine, ending)
      expect(EngineInName.engineOf(name)).toEqual(Option.some(engine))
      expect(name.startsWith(`.${token}.`) && name.endsWith(`.${ending}`)).toBe(true)
      expect(name).toMatch(/^\.[A-Za-z0-9_.-]+$/)
    }
  )

  it("the name of a real engine is short enough for a file system", () => {
    const engine = {
      bootId: "9b5c2d79-ea6f-4746-9b59-aa115becf626",
      pidNamespace: "pid:[4026531836]",
      pid: 4_194_304,
      startTime: "Mon Nov 24 11:09:00 2025",
      instance: `lane_${"a".repeat(26)}.12`,
      host: "a".repeat(24)
    }
    expect(EngineInName.name(`ast_${"a".repeat(26)}`, engine, "unfinished").length).toBeLessThan(256)
  })

  it("an engine without a host has the same name as in earlier versions", () => {
    const engine = { bootId: "b", pidNamespace: "n", pid: 1, startTime: "2", instance: "i", host: null }
    const earlier = `.ast_x.${Encoding.encodeBase64Url('["b","n",1,"2","i"]')}.upload`
    expect(EngineInName.name("ast_x", engine, "upload")).toBe(earlier)
    expect(EngineInName.engineOf(earlier)).toEqual(Option.some(engine))
  })

  it.each([".ast_x.upload", ".ast_x.e30.upload", ".ast_x.%%%.upload", "ast_x.W10.upload", ".ast_x.WyJhIl0.upload"])(
    "%j holds no engine",
    (name) => {
      expect(EngineInName.engineOf(name)).toEqual(Option.none())
    }
  )
})
