/** What a list reports about the activity of sessions, as engines come and go. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { Gateway, Permissions, Session, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Quiescence } from "skein/testing"
import { ground } from "../runtime/engines.js"
import { ann, bob } from "./owners.js"

const ask = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("allowed"))

const activities = (gateway: Gateway.Service, query?: Gateway.SessionQuery) =>
  Effect.map(gateway.sessions(query), ({ sessions }) => sessions.map(({ activity, title }) => `${title} ${activity}`))

/** Engine `one` with sessions of Ann that run, ask and do nothing, and one of Bob that runs; and engine `other`. */
const world = Effect.gen(function* () {
  const made = yield* ground
  const options = { tools: [ask], policy: Permissions.askToWrite }
  const one = yield* made.open("one", options)
  const other = yield* made.open("other", options)
  yield* made.model.play(ScriptedModel.hang, ScriptedModel.calls(ScriptedModel.call(ask, {})), ScriptedModel.hang)
  for (const [title, owner] of [
    ["runs", ann],
    ["asks", ann],
    ["bobs", bob]
  ] as const) {
    const { id } = yield* one.session({ title, owner })
    yield* one.send(id, "go")
    yield* Quiescence.idle
  }
  yield* one.session({ title: "idle", owner: ann })
  return { ...made, one, other }
})

describe("a list of sessions", () => {
  it.scoped("says what each session is doing, whichever engine runs it", () =>
    Effect.gen(function* () {
      const { one, other } = yield* world
      for (const { gateway } of [one, other]) {
        expect(yield* activities(gateway)).toEqual(["idle idle", "bobs running", "asks asks", "runs running"])
        expect(yield* activities(gateway, { activity: ["running"] })).toEqual(["bobs running", "runs running"])
        expect(yield* activities(gateway, { activity: ["crashed"] })).toEqual([])
      }
    })
  )

  it.scoped("shows the runs of a dead engine as crashed, with full pages and right totals", () =>
    Effect.gen(function* () {
      const { declare, model, one, other } = yield* world
      yield* model.play(ScriptedModel.hang)
      const { id } = yield* other.session({ title: "others", owner: ann })
      yield* other.send(id, "go")
      yield* Quiescence.idle
      yield* declare("one", "dead")
      const { gateway } = other
      // A question waits even if its engine is dead: the answer makes the session go on.
      expect(yield* activities(gateway)).toEqual([
        "others running",
        "idle idle",
        "bobs crashed",
        "asks asks",
        "runs crashed"
      ])
      expect(yield* activities(gateway, { activity: ["running"] })).toEqual(["others running"])
      const first = yield* gateway.sessions({ activity: ["crashed"], limit: 1, total: true })
      expect(first).toMatchObject({ sessions: [{ title: "bobs", activity: "crashed" }], total: 2 })
      const second = yield* gateway.sessions({ activity: ["crashed"], limit: 1, after: first.next ?? undefined })
      expect(second).toMatchObject({ sessions: [{ title: "runs", activity: "crashed" }], next: null })
      // As far as the engine itself knows, it lives.
      expect(yield* activities(one.gateway, { activity: ["crashed"] })).toEqual([])
    })
  )

  it.scoped("shows a released run as crashed until another engine continues it", () =>
    Effect.gen(function* () {
      const { model, one, other } = yield* world
      yield* one.close
      expect(yield* activities(other.gateway, { activity: ["crashed"] })).toEqual(["bobs crashed", "runs crashed"])
      yield* model.play(ScriptedModel.hang, ScriptedModel.hang)
      yield* other.gateway.recover({ owner: bob })
      yield* Quiescence.idle
      expect(yield* activities(other.gateway, { activity: ["running"] })).toEqual(["bobs running"])
      expect(yield* activities(other.gateway, { activity: ["crashed"] })).toEqual(["runs crashed"])
    })
  )

  it.scoped("of one owner has only that owner's sessions, whatever they are doing", () =>
    Effect.gen(function* () {
      const { one } = yield* world
      const bobs = yield* Effect.provide(Gateway.forOwner(bob), one.context)
      expect(yield* activities(bobs, { order: "activity" })).toEqual(["bobs running"])
      expect(yield* activities(bobs, { activity: ["asks", "idle"], owner: ann })).toEqual([])
      const anns = yield* Effect.provide(Gateway.forOwner(ann), one.context)
      expect(yield* activities(anns, { activity: ["asks"] })).toEqual(["asks asks"])
    })
  )

  it.scoped("by activity begins with the session that changed last", () =>
    Effect.gen(function* () {
      const { one } = yield* world
      const { sessions } = yield* one.gateway.sessions()
      for (const { id } of sessions) {
        yield* TestClock.adjust("1 second")
        yield* one.gateway.patch({ sessionId: Session.Id.make(id), metadata: { seen: true } })
      }
      const titles = (yield* activities(one.gateway, { order: "activity" })).map((line) => line.split(" ")[0])
      expect(titles).toEqual(["runs", "asks", "bobs", "idle"])
    })
  )
})
