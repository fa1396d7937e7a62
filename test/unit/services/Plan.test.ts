import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Plan, Toolbox } from "skein"
import * as TestWorkspace from "../adapters/tools/TestWorkspace.js"

describe("a plan", () => {
  it("is read from a valid call of the plan tool, and from no other call", () => {
    const input = JSON.stringify({ steps: [{ content: "Read", status: "pending" }] })
    expect(Plan.stepsOf({ name: "plan", input })).toEqual(
      Option.some([{ content: "Read", status: "pending", priority: "medium" }])
    )
    expect(Plan.stepsOf({ name: "books__plan", input })).toEqual(Option.none())
    expect(Plan.stepsOf({ name: "plan", input: '{"steps":[{"content":"Read","status":"soon"}]}' })).toEqual(
      Option.none()
    )
    expect(Plan.stepsOf({ name: "plan", input: '{"steps":[' })).toEqual(Option.none())
  })

  it.effect("needs only read access, and its call's title says how much is done", () =>
    Effect.gen(function* () {
      const { tools } = yield* Toolbox.make(Plan.tool)
      const tool = yield* Effect.fromNullable(tools.get("plan"))
      expect(tool.access).toBe("read")
      const steps = [
        { content: "Read", status: "completed" },
        { content: "Write", status: "in_progress" }
      ]
      const { title } = yield* TestWorkspace.inFolder("/")(tool.prepare(JSON.stringify({ steps })))
      expect(title).toBe("Plan: 1 of 2 done")
    })
  )
})
