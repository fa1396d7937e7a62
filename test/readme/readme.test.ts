/** The README's examples are these very files, compiled with the rest and run here. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Gateway, Permissions, Run } from "skein"
import { ScriptedModel, SkeinTest } from "skein/testing"
import { add, ToolsLive } from "./tool.js"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

describe("README", () => {
  it("shows the examples as they are compiled", () => {
    const readme = read("../../README.md")
    for (const example of ["app.ts", "tool.ts"]) assert.include(readme, "```ts\n" + read(example) + "```")
  })

  it.scoped("its tool answers a model", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const model = yield* ScriptedModel.ScriptedModel
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(add, { a: 2, b: 3 })), ScriptedModel.text("Five."))
      const session = yield* gateway.create({ workdir: "/" })
      const run = yield* gateway.send({ sessionId: session.id, text: "Two and three?" })
      assert.strictEqual(yield* Run.answer(run), "Five.")
      assert.deepStrictEqual(
        (yield* SkeinTest.results(run)).map(({ text }) => text),
        ["5"]
      )
    }).pipe(Effect.provide(SkeinTest.layer().pipe(Layer.provide([ToolsLive, Permissions.layerDefault]))))
  )
})
