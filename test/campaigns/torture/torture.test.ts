/** The short form of `npm run torture`: each test kills processes for real and opens what they leave. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Long from "../../support/Long.js"
import * as Points from "./Points.js"
import * as Torture from "./Torture.js"

/** Plays plans, some at the same time; returns what is broken, and how many processes were killed. */
const play = (plans: ReadonlyArray<Torture.Plan>) =>
  Effect.map(Effect.forEach(plans, Torture.play, { concurrency: 4 }), (outcomes) => ({
    broken: outcomes.flatMap(({ failure }, place) =>
      failure === null ? [] : [`${failure}; to replay it: ${plans[place]?.command}`]
    ),
    kills: outcomes.reduce((sum, { kills }) => sum + kills, 0)
  }))

const crossings = Effect.map(Torture.play(Torture.dry(1, "small")), ({ crossed, failure }) => {
  expect(failure).toBeNull()
  return crossed
}).pipe(Effect.cached, Effect.runSync)

/**
 * One plan for each of at most `most` crossings of a point, or for some of these; the user goes on by resuming and by a
 * message in turns.
 */
const plansFor = (crossed: Points.Counts, most: (name: string) => number, step = 1) =>
  Object.entries(crossed)
    .flatMap(([name, times]) => Long.some(Torture.spread(name, times, most(name)), step))
    .map((point, place): Torture.Plan => ({
      ...Torture.at(1, "small", point),
      ways: [place % 2 === 0 ? "resume" : "message"]
    }))

/** Points of system calls that leave different states on disk. */
const calls = new Set([
  "open after",
  "write amid",
  "sync before",
  "sync after",
  "rename before",
  "rename after",
  "unlink before",
  "unlink after",
  "rmdir after"
])

describe("P2 P4 P5 P11 kill at any instant: what was announced is stored, no tool runs twice, nothing is left over", () => {
  it.live(
    "before and after commits, in a tool, and at an announcement",
    () =>
      Effect.gen(function* () {
        const most = (name: string) =>
          name === "commit before" ? 100 : name === "commit after" ? 4 : /^(tool|announced)/.test(name) ? 1 : 0
        const plans = plansFor(yield* crossings, most, 4)
        expect(new Set(plans.map(({ ways }) => ways[0])).size).toBe(2)
        const { broken, kills } = yield* play(plans)
        expect(broken).toEqual([])
        expect(kills).toBeGreaterThan(plans.length / 2)
      }),
    0
  )

  it.live(
    Points.canCountCalls
      ? "before, after and in the middle of system calls on files"
      : "not at system calls: there is no C compiler here",
    () =>
      Effect.gen(function* () {
        const plans = plansFor(yield* crossings, (name) => (calls.has(name) ? 1 : 0))
        const { broken, kills } = yield* play(plans)
        expect(broken).toEqual([])
        expect(kills).toBeGreaterThanOrEqual(plans.length / 2)
      }),
    0
  )

  it.live(
    "before the statements of a migration: the next open migrates",
    () =>
      Effect.gen(function* () {
        const { crossed, failure } = yield* Torture.play(Torture.dry(1, "open"))
        expect(failure).toBeNull()
        const all = Array.from({ length: crossed["statement before"] ?? 0 }, (_, place) => place + 1)
        expect(all.length).toBeGreaterThan(40)
        const statements = Long.some(all, 7)
        const plans = [0, 1].map((rest) =>
          Torture.opening(
            statements.filter((_, place) => place % 2 === rest).map((at) => ({ name: "statement before", at }))
          )
        )
        const { broken, kills } = yield* play(plans)
        expect(broken).toEqual([])
        // Once the schema is there, an opening runs fewer statements.
        expect(kills).toBeGreaterThan(Math.min(40, statements.length / 2))
      }),
    0
  )

  it.live(
    "at random instants, with several processes on one database",
    () =>
      Effect.gen(function* () {
        // The first has a kill and a request from outside, and kills at points.
        const seeds = Long.some([560, 101, 102], 3)
        const { broken, kills } = yield* play(seeds.map((seed) => Torture.random(seed, 3)))
        expect(broken).toEqual([])
        expect(kills).toBeGreaterThan(seeds.length)
      }),
    0
  )
})
