import { describe, expect, it } from "@effect/vitest"
import { Either, HashMap } from "effect"
import * as Limits from "../../../../../src/domain/Limits.js"
import {
  admission,
  firstEngine,
  newSession,
  r1,
  r2,
  s1,
  s2
} from "../../../../../src/adapters/testing/storage/fixture.js"
import * as Runs from "../../../../../src/services/storage/memory/Runs.js"
import * as Sessions from "../../../../../src/services/storage/memory/Sessions.js"
import * as State from "../../../../../src/services/storage/memory/State.js"

const after = <A, E>(transition: State.Transition<A, E>) => Either.getOrThrow(transition)[1]

describe("a sign of life in memory", () => {
  it("P9 costs the same however many runs the engine has: no session is changed, and a start changes only its own", () => {
    const create = (state: State.State, id: typeof s1) =>
      after(Sessions.createSession(state, 0, { ...newSession({ id }), actor: null }))
    const start = (state: State.State, sessionId: typeof s1, runId: typeof r1) =>
      after(Runs.admit(state, 0, { ...admission({ sessionId, runId }), actor: null }))
    const created = create(create(State.empty(Limits.defaults), s1), s2)
    const one = start(created, s1, r1)
    expect(after(Runs.renew(one, 0, firstEngine)).sessions).toBe(one.sessions)
    const two = start(one, s2, r2)
    expect(HashMap.unsafeGet(two.sessions, s1)).toBe(HashMap.unsafeGet(one.sessions, s1))
  })
})
