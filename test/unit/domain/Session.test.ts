import { describe, expect, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import * as Session from "../../../src/domain/Session.js"

describe("Session", () => {
  it.each(["a", "A-b_9", "0", "x".repeat(64)])("takes %j as an id", (id) => {
    expect(Option.isSome(Schema.decodeOption(Session.SessionId)(id))).toBe(true)
  })

  it.each(["", "-a", "_a", ".", "..", "a/b", "a\\b", "a.b", "a b", "a\n", "é", "x".repeat(65)])(
    "P12 clear refusal: does not take %j as an id",
    (id) => {
      expect(Option.isNone(Schema.decodeOption(Session.SessionId)(id))).toBe(true)
    }
  )
})
