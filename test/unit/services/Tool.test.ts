import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Either, Layer, Schema } from "effect"
import { SkeinError, Tool, Toolbox } from "skein"
import { SkeinTest } from "skein/testing"
import * as TestWorkspace from "../adapters/tools/TestWorkspace.js"

const make = <const Name extends string>(name: Name) =>
  Tool.make(name, { description: "takes nothing", access: "read", input: {} }).handle(() => Effect.succeed("done"))

describe("Tool", () => {
  it("a tool without fields has the schema of an object, as providers demand", () => {
    assert.deepStrictEqual(make("nothing").inputSchema, { type: "object", properties: {} })
  })

  it.effect("a tool without fields accepts only an object", () =>
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

describe("a call's input", () => {
  const tool = Tool.make("look", {
    description: "looks",
    access: "read",
    input: {
      path: Schema.String,
      offset: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 1 }),
      near: Schema.optional(Schema.NullOr(Schema.Number)),
      more: Schema.optional(Schema.Struct({ deep: Schema.optional(Schema.Boolean) }))
    }
  }).handle((input) => Effect.succeed(input))

  const result = (raw: string) =>
    Effect.flatMap(tool.prepare(raw), ({ run }) => run).pipe(
      Effect.map(({ text }) => text),
      Effect.catchAll((error) => Effect.succeed(error instanceof Error ? error.message : String(error))),
      TestWorkspace.inFolder("/")
    )

  it.effect("null for an optional field counts as absent", () =>
    Effect.gen(function* () {
      const raw = '{"path":"a","offset":null,"near":null,"more":{"deep":null}}'
      assert.strictEqual(yield* result(raw), '{"path":"a","offset":1,"near":null,"more":{}}')
    })
  )

  it.effect("is refused with one line for each issue", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* result('{"path":null,"offset":0,"more":{"deep":"x"}}'),
        "The input of look is not valid:\n" +
          "path: expected a text, got null\n" +
          "offset: expected an integer from 1, got 0\n" +
          'more.deep: expected true or false, got "x"'
      )
      assert.strictEqual(yield* result("[]"), "The input of look is not valid: expected an object, got a list")
    })
  )

  it.effect("a number that JSON cannot hold is refused, wherever it is", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* result('{"path":"a","near":1e999}'),
        "The input of look is not valid: near: a number that JSON cannot hold"
      )
      assert.strictEqual(
        yield* result('{"path":"a","near":9007199254740993}'),
        "The input of look is not valid: near: an integer beyond 9007199254740991, whose last digits would be lost"
      )
      const dynamic = Tool.dynamic("any", { description: "takes all", inputSchema: { type: "object" } }).handle(() =>
        Effect.succeed("ran")
      )
      const refused = yield* Effect.flip(SkeinTest.call(dynamic, { list: [1, { x: -Infinity }, NaN] }))
      assert.include(
        refused.message,
        "list.1.x: a number that JSON cannot hold\nlist.2: a number that JSON cannot hold"
      )
    })
  )
})

describe("an input that is too much to read", () => {
  const any = Tool.dynamic("any", { description: "takes all", inputSchema: { type: "object" } }).handle(() =>
    Effect.succeed("ran")
  )
  const named = Tool.make("named", {
    description: "takes lists by name",
    input: { lists: Schema.Record({ key: Schema.String, value: Schema.Array(Schema.Number) }) }
  }).handle(() => Effect.void)
  const list = (count: number, value: string) => `[${Array.from({ length: count }, () => value).join(",")}]`
  const refusal = <R>({ prepare }: Tool.Runnable<R>, raw: string) =>
    Effect.map(Effect.flip(prepare(raw)), ({ message }) => message)
  const longName = "k".repeat(10_000)

  it.effect("is refused by the number of its values and by their depth, before it is parsed", () =>
    Effect.gen(function* () {
      const start = "The input of any is not valid: "
      assert.strictEqual(yield* refusal(any, `{"a":${list(20_001, "1")}}`), `${start}more than 20000 values`)
      assert.strictEqual(yield* refusal(any, list(20_001, "not JSON")), `${start}more than 20000 values`)
      assert.strictEqual(yield* refusal(any, "[".repeat(101)), `${start}nested more than 100 deep`)
    }).pipe(TestWorkspace.inFolder("/"))
  )

  it.effect(
    "is told in twenty short lines what is wrong with it, however much that is and however long its names",
    () =>
      Effect.gen(function* () {
        const flaws = yield* refusal(any, `{"${longName}":${list(3_000, "1e999")}}`)
        assert.include(flaws, `\n${"k".repeat(60)}….19: a number that JSON cannot hold\nand 2980 more`)
        assert.notInclude(flaws, "….20:")
        const issues = yield* refusal(named, `{"lists":{"${longName}":${list(3_000, "true")}}}`)
        assert.include(issues, `\nlists.${"k".repeat(60)}….19: expected a number, got true\nand 2980 more`)
        assert.notInclude(issues, "….20:")
        assert.isBelow(flaws.length + issues.length, 10_000)
      }).pipe(TestWorkspace.inFolder("/"))
  )
})

class Forecasts extends Context.Tag("test/Forecasts")<Forecasts, (city: string) => number>() {}

describe("Tool.define", () => {
  const weather = Tool.define(
    "weather",
    {
      description: "The weather of a city",
      access: "read",
      kind: "fetch",
      input: { city: Schema.String, day: Schema.optionalWith(Schema.Int, { default: () => 0 }) },
      output: Schema.Struct({ degrees: Schema.Number })
    },
    { key: ({ city }) => city, title: ({ city, day }) => `Weather of ${city} on ${day}` }
  )
  const say = Tool.define("say", { description: "Says", input: { text: Schema.String } })
  /** The layer requires what the handlers require; the definitions type the inputs of the handlers. */
  const handlers: Layer.Layer<Tool.Handler<"weather"> | Tool.Handler<"say">, never, Forecasts> = Toolbox.handlers(
    [weather, say],
    {
      weather: ({ city, day }) => Effect.map(Forecasts, (degreesOf) => ({ degrees: degreesOf(city) + day })),
      say: ({ text }) => Effect.map(Tool.Call, ({ owner }) => `${owner} says ${text}`)
    }
  )
  const given = Layer.provide(
    handlers,
    Layer.succeed(Forecasts, (city) => city.length)
  )

  it.effect("a tool finds its handler, which is provided separately", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* SkeinTest.call(weather, { city: "Oslo" }), { degrees: 4 })
      assert.strictEqual(yield* SkeinTest.call(say, { text: "hi" }, { owner: "ann" }), "ann says hi")
    }).pipe(Effect.provide(given))
  )

  it.effect("two hosts can handle the same definition in different ways", () =>
    Effect.gen(function* () {
      const other = Toolbox.handlers([say], { say: () => Effect.succeed("nothing") })
      assert.strictEqual(yield* Effect.provide(SkeinTest.call(say, { text: "hi" }), other), "nothing")
      assert.strictEqual(yield* Effect.provide(SkeinTest.call(say, { text: "hi" }), given), "null says hi")
    })
  )

  it.effect("a call's key and display come from its decoded input", () =>
    Effect.gen(function* () {
      const { tools } = yield* Effect.provide(Toolbox.make(weather, say), given)
      const shown = (name: string, input: string) =>
        Effect.gen(function* () {
          const tool = tools.get(name)
          if (tool === undefined) return null
          const { key, locations, title } = yield* tool.prepare(input)
          return { key, kind: tool.kind, locations, title }
        }).pipe(TestWorkspace.inFolder("/"))
      assert.deepStrictEqual(yield* shown("weather", '{"city":"Oslo"}'), {
        key: "Oslo",
        kind: "fetch",
        locations: [],
        title: "Weather of Oslo on 0"
      })
      assert.deepStrictEqual(yield* shown("say", '{"text":"hi"}'), {
        key: null,
        kind: "other",
        locations: [],
        title: null
      })
    })
  )
})

describe("Toolbox", () => {
  it.effect("P12 refuses two tools with the same name", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Toolbox.make(make("twice"), make("twice")))
      assert.instanceOf(error, SkeinError.DuplicateTool)
    })
  )

  it.effect("P12 refuses a name that every object has: an SDK would lose its calls", () =>
    Effect.gen(function* () {
      for (const name of Object.getOwnPropertyNames(Object.prototype)) {
        assert.instanceOf(yield* Effect.flip(Toolbox.make(make(name))), SkeinError.InvalidInput)
      }
    })
  )

  it.effect("P12 refuses an input schema that no provider takes, and names the tool", () =>
    Effect.gen(function* () {
      const tool = (inputSchema: Readonly<Record<string, unknown>>) =>
        Tool.dynamic("search", { description: "searches", inputSchema }).handle(() => Effect.void)
      const error = yield* Effect.flip(Toolbox.make(tool({ type: "string" })))
      assert.instanceOf(error, SkeinError.InvalidInput)
      assert.strictEqual(error.message, 'input schema of the tool search: an object (given: "string")')
      const nameless = Tool.make("odd", { description: "odd", input: { "two words": Schema.String } })
      assert.instanceOf(yield* Effect.flip(Toolbox.make(nameless.handle(() => Effect.void))), SkeinError.InvalidInput)
    })
  )

  it.effect("repairs an input schema that providers would refuse", () =>
    Effect.gen(function* () {
      const { tools } = yield* Toolbox.make(
        Tool.dynamic("search", { description: "", inputSchema: {} }).handle(() => Effect.void)
      )
      assert.deepStrictEqual(tools.get("search")?.inputSchema, { type: "object", properties: {} })
    })
  )

  it.effect("P12 refuses a name that no provider takes", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Toolbox.make(make("two words")))
      assert.instanceOf(error, SkeinError.InvalidInput)
    })
  )
})
