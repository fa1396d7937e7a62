import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, FastCheck, Option } from "effect"
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
      instance: `lane_${"a".repeat(26)}.12`
    }
    expect(EngineInName.name(`ast_${"a".repeat(26)}`, engine, "unfinished").length).toBeLessThan(256)
  })

  it.each([".ast_x.upload", ".ast_x.e30.upload", ".ast_x.%%%.upload", "ast_x.W10.upload", ".ast_x.WyJhIl0.upload"])(
    "%j holds no engine",
    (name) => {
      expect(EngineInName.engineOf(name)).toEqual(Option.none())
    }
  )
})
