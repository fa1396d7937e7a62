/** Hosts that are stopped and started again while they work: no job is lost, and none is done twice. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import { folder } from "../../unit/services/storage/disk.js"
import * as Life from "./Life.js"
import * as Reopened from "./Reopened.js"

const jobs = Array.from({ length: 40 }, (_, index) => `job-${index}`)

/** Lives of a host, one after the other, until one of them has done all its jobs. Gives that one's ends, by job. */
const lives = (setup: Life.Options, stops: ReadonlyArray<Life.Stop>, drains: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    let stopped = 0
    while (true) {
      const stop = stops[stopped] ?? null
      const { ends, isDone } = yield* Life.live({ ...setup, drainMillis: drains[stopped % drains.length] ?? 0 }, stop)
      if (isDone) return { stopped, ends: new Map(ends.map(({ job, stopReason }) => [job, stopReason])) }
      stopped++
    }
  })

const completed = new Map(jobs.map((job) => [job, "completed"]))

/** Holds what jobs left against what is stored of them. Gives the ends of all their runs, and how many were released. */
const checked = (root: string, jobs: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const records = yield* Reopened.records(
      Life.dataOf(root),
      jobs.map((job) => SessionId.make(job))
    )
    records.forEach(({ entries, events }, index) => {
      const job = jobs[index] ?? expect.unreachable()
      const file = join(root, job)
      const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []
      const results = entries.flatMap(({ message }) => (message.role === "tool" ? [message] : []))
      const ends = events.filter(SessionEvent.is("run.ended"))
      expect({ job, users: entries.filter(({ message }) => message.role === "user").length }).toEqual({ job, users: 1 })
      expect(new Set(lines).size).toBe(lines.length)
      for (const { callId, outcome } of results) {
        expect(outcome).toMatch(/^(success|interrupted|never-started)$/)
        if (outcome === "success") expect(lines).toContain(callId)
        if (outcome === "never-started") expect(lines).not.toContain(callId)
      }
      expect(ends.at(-1)).toMatchObject({ stopReason: "completed" })
    })
    const all = records.flatMap(({ events }) => events)
    return {
      ends: new Set(all.filter(SessionEvent.is("run.ended")).map(({ stopReason }) => stopReason)),
      released: all.filter(SessionEvent.is("run.released")).length
    }
  })

const stops = (signals: ReadonlyArray<Life.Stop["signal"]>, after = 12) => signals.map((signal) => ({ after, signal }))

describe("P5 P9 many processes: 40 jobs of a worker that is stopped in the middle, again and again", () => {
  it.scopedLive(
    "by SIGTERM: each is completed, and no run ends in any other way",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        const setup = { folder: root, jobs, role: "settle" } as const
        const signals = stops(["SIGTERM", "SIGTERM", "SIGTERM", "SIGTERM"])
        const { ends: told, stopped } = yield* lives(setup, signals, [0, 10_000, 5])
        expect(told).toEqual(completed)
        expect(stopped).toBeGreaterThan(2)
        const { ends, released } = yield* checked(root, jobs)
        expect([...ends]).toEqual(["completed"])
        expect(released).toBeGreaterThan(0)
      }),
    120_000
  )

  it.scopedLive(
    "by kill -9: each is completed",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        const setup = { folder: root, jobs, role: "settle" } as const
        const signals = stops(["SIGKILL", "SIGKILL", "SIGKILL", "SIGKILL"])
        const { ends: told, stopped } = yield* lives(setup, signals, [0])
        expect(told).toEqual(completed)
        expect(stopped).toBeGreaterThan(2)
        const { ends, released } = yield* checked(root, jobs)
        expect(ends).toEqual(new Set(["completed", "crashed"]))
        expect(released).toBe(0)
      }),
    120_000
  )

  it.scopedLive(
    "by both, two workers at once: each is completed, and both workers are told so",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        const setup = { folder: root, role: "settle" } as const
        const [one, other] = yield* Effect.all(
          [
            lives({ ...setup, jobs }, stops(["SIGTERM", "SIGKILL", "SIGTERM"], 12), [0, 10_000]),
            lives({ ...setup, jobs: jobs.toReversed() }, stops(["SIGKILL", "SIGTERM", "SIGKILL"], 15), [0])
          ],
          { concurrency: 2 }
        )
        expect([one.ends, other.ends]).toEqual([completed, completed])
        expect(Math.min(one.stopped, other.stopped)).toBeGreaterThan(0)
        const { ends } = yield* checked(root, jobs)
        expect([...ends].filter((end) => end !== "completed" && end !== "crashed")).toEqual([])
      }),
    120_000
  )
})

describe("P9 many processes: a host that is told to end while a tool works", () => {
  /** A host with one run, told to end when its first call has begun. */
  const host = (workMillis: number, drainMillis: number) =>
    Effect.gen(function* () {
      const root = yield* folder
      const setup = { folder: root, jobs: ["job"], workMillis } as const
      const life = yield* Life.live({ ...setup, role: "send", drainMillis }, { after: 1, signal: "SIGTERM" })
      expect(life.isDone).toBe(false)
      return { root, setup }
    })

  it.scopedLive("lets the run end before it does, in the time that it has for that", () =>
    Effect.gen(function* () {
      const { root } = yield* host(1_000, 10_000)
      expect(yield* checked(root, ["job"])).toEqual({ ends: new Set(["completed"]), released: 0 })
    })
  )

  it.scopedLive("without that time releases the run, and the next host goes on with it though nobody asks", () =>
    Effect.gen(function* () {
      const { root, setup } = yield* host(1_000, 0)
      // It looks when it opens, and for a day no more.
      const next = yield* Life.live({ ...setup, role: "watch", recoverMillis: 24 * 60 * 60 * 1_000 })
      expect(next.ends).toEqual([{ _tag: "Ended", job: "job", stopReason: "completed" }])
      expect(yield* checked(root, ["job"])).toEqual({ ends: new Set(["completed"]), released: 1 })
    })
  )
})
