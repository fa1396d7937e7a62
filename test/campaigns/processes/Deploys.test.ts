/** Hosts that are stopped and started again while they work: no job is lost, and none is done twice. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { folder } from "../../unit/services/storage/disk.js"
import { check, completed, jobs, lives, sessionsOf, stops } from "./Jobs.js"
import * as Life from "./Life.js"
import * as Reopened from "./Reopened.js"

const checked = (root: string, jobs: ReadonlyArray<string>) =>
  Effect.map(Reopened.records(Life.dataOf(root), sessionsOf(jobs)), (records) => check(root, jobs, records))

describe("P5 P9 many processes: 24 jobs of a worker that is stopped in the middle again and again", () => {
  it.scopedLive("by SIGTERM: each job is completed, and no run ends in any other way", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const setup = { folder: root, jobs, role: "settle" } as const
      const signals = stops(["SIGTERM", "SIGTERM", "SIGTERM"])
      const { ends: told, stopped } = yield* lives(setup, signals, [0, 10_000, 5])
      expect(told).toEqual(completed)
      expect(stopped).toBeGreaterThan(1)
      const { ends, released } = yield* checked(root, jobs)
      expect([...ends]).toEqual(["completed"])
      expect(released).toBeGreaterThan(0)
    })
  )

  it.scopedLive("by kill -9: each job is completed", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const setup = { folder: root, jobs, role: "settle" } as const
      const signals = stops(["SIGKILL", "SIGKILL", "SIGKILL"])
      const { ends: told, stopped } = yield* lives(setup, signals, [0])
      expect(told).toEqual(completed)
      expect(stopped).toBeGreaterThan(1)
      const { ends, released } = yield* checked(root, jobs)
      expect(ends).toEqual(new Set(["completed", "crashed"]))
      expect(released).toBe(0)
    })
  )

  it.scopedLive("by both, with two workers at the same time: each job is completed, and both workers learn so", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const setup = { folder: root, role: "settle" } as const
      const [one, other] = yield* Effect.all(
        [
          lives({ ...setup, jobs }, stops(["SIGTERM", "SIGKILL"], 7), [0, 10_000]),
          lives({ ...setup, jobs: jobs.toReversed() }, stops(["SIGKILL", "SIGTERM"], 9), [0])
        ],
        { concurrency: 2 }
      )
      expect([one.ends, other.ends]).toEqual([completed, completed])
      expect(Math.min(one.stopped, other.stopped)).toBeGreaterThan(0)
      const { ends } = yield* checked(root, jobs)
      expect([...ends].filter((end) => end !== "completed" && end !== "crashed")).toEqual([])
    })
  )
})

describe("P9 many processes: a host that is told to end while a tool works", () => {
  /** A host with one run, told to end once its first call has begun. */
  const host = (workMillis: number, drainMillis: number) =>
    Effect.gen(function* () {
      const root = yield* folder
      const setup = { folder: root, jobs: ["job"], workMillis } as const
      const life = yield* Life.live({ ...setup, role: "send", drainMillis }, { after: 1, signal: "SIGTERM" })
      expect(life.isDone).toBe(false)
      return { root, setup }
    })

  it.scopedLive("lets its run end first, within its drain time", () =>
    Effect.gen(function* () {
      const { root } = yield* host(1_000, 10_000)
      expect(yield* checked(root, ["job"])).toEqual({ ends: new Set(["completed"]), released: 0 })
    })
  )

  it.scopedLive("releases its run if it has no drain time, and the next host goes on with the run by itself", () =>
    Effect.gen(function* () {
      const { root, setup } = yield* host(1_000, 0)
      // It looks for left runs when it opens, and then not for a day.
      const next = yield* Life.live({ ...setup, role: "watch", recoverMillis: 24 * 60 * 60 * 1_000 })
      expect(next.ends).toEqual([{ _tag: "Ended", job: "job", stopReason: "completed" }])
      expect(yield* checked(root, ["job"])).toEqual({ ends: new Set(["completed"]), released: 1 })
    })
  )
})
