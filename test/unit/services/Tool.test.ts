import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Layer, Schema } from "effect"
import { SkeinError, Tool, Toolbox } from "skein"
import { SkeinTest } from "skein/testing"

const make = <const Name extends string>(name: Name) =>
  Tool.make(name, { description: "takes nothing", access: "read", input: {} }).handle(() => Effect.succeed("done"))

const refusal = <E>(layer: Layer.Layer<Toolbox.Toolbox, E>) => Effect.scoped(Effect.flip(Layer.build(layer)))

describe("Tool", () => {
  it("a tool without fields shows the schema of an object, as providers demand", () => {
    assert.deepStrictEqual(make("nothing").inputSchema, { type: "object", properties: {} })
  })

  it.effect("a tool without fields takes an object and nothing else", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* SkeinTest.call(make("nothing"), {}), "done")
      const refused = yield* Effect.either(SkeinTest.call(make("nothing"), []))
      assert.isTrue(Either.isLeft(refused) && refused.left instanceof Tool.InputInvalid)
    })
  )

  it("a tool shows the JSON Schema of its input", () => {
    const tool = Tool.make("add", { description: "adds", input: { a: Schema.Number } }).handle(() => Effect.void)
    assert.include(tool.inputSchema, { type: "object" })
    assert.deepStrictEqual(tool.inputSchema["required"], ["a"])
  })
})

describe("Toolbox", () => {
  it.effect("P12 refuses two tools of one name", () =>
    Effect.gen(function* () {
      const error = yield* refusal(Toolbox.layer(make("twice"), make("twice")))
      assert.instanceOf(error, SkeinError.DuplicateTool)
    })
  )

  it.effect("P12 refuses a name that no provider takes", () =>
    Effect.gen(function* () {
      const error = yield* refusal(Toolbox.layer(make("two words")))
      assert.instanceOf(error, SkeinError.InvalidInput)
    })
  )
})
