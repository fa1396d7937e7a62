import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import * as AbsentFields from "../../../src/domain/AbsentFields.js"

interface Tree {
  readonly name?: string | undefined
  readonly below?: ReadonlyArray<Tree> | undefined
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  name: Schema.optional(Schema.String),
  below: Schema.optional(Schema.Array(Schema.suspend(() => Tree)))
})

describe("AbsentFields", () => {
  it("removes a field only if it is null and may be absent but not null", () => {
    const leaveOut = AbsentFields.leaveOut(
      Schema.Struct({
        required: Schema.Int,
        optional: Schema.optional(Schema.Int),
        exact: Schema.optionalWith(Schema.Int, { exact: true }),
        standard: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 1 }),
        nullable: Schema.optional(Schema.NullOr(Schema.Int)),
        anything: Schema.optional(Schema.Unknown)
      })
    )
    const all = { required: null, optional: null, exact: null, standard: null, nullable: null, anything: null, x: null }
    expect(leaveOut(all)).toEqual({ required: null, nullable: null, anything: null, x: null })
    expect(leaveOut({ required: 1, optional: 0 })).toEqual({ required: 1, optional: 0 })
    for (const other of [null, [], "text", 1]) expect(leaveOut(other)).toEqual(other)
  })

  it("descends into lists, records, recursive schemas and the matching member of a union", () => {
    const Inner = Schema.Struct({ a: Schema.optional(Schema.String) })
    const leaveOut = AbsentFields.leaveOut(
      Schema.Struct({
        list: Schema.Array(Inner),
        record: Schema.Record({ key: Schema.String, value: Inner }),
        either: Schema.Union(
          Schema.Struct({ kind: Schema.Literal("one"), a: Schema.optional(Schema.Int) }),
          Schema.Struct({ kind: Schema.Literal("two"), a: Schema.NullOr(Schema.Int) })
        ),
        maybe: Schema.NullOr(Inner),
        tree: Tree
      })
    )
    const tree = { name: null, below: [{ name: null }, { name: "x", below: null }] }
    expect(
      leaveOut({
        list: [{ a: null }],
        record: { x: { a: null } },
        either: { kind: "one", a: null },
        maybe: { a: null },
        tree
      })
    ).toEqual({
      list: [{}],
      record: { x: {} },
      either: { kind: "one" },
      maybe: {},
      tree: { below: [{}, { name: "x" }] }
    })
    expect(leaveOut({ either: { kind: "two", a: null }, maybe: null })).toEqual({
      either: { kind: "two", a: null },
      maybe: null
    })
  })
})
