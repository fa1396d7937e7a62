/** Jobs of hosts that are stopped and started again while they work, and what must hold of them at the end. */
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import * as Life from "./Life.js"
import type * as Reopened from "./Reopened.js"

export const jobs = Array.from({ length: 24 }, (_, index) => `job-${index}`)

/**
 * Lives of a host, one after the other, until one of them has done all its jobs. Returns how often the host was
 * stopped, and the ends that the last life reported, by job.
 */
export const lives = (setup: Life.Options, stops: ReadonlyArray<Life.Stop>, drains: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    let stopped = 0
    while (true) {
      const stop = stops[stopped] ?? null
      const { ends, isDone } = yield* Life.live({ ...setup, drainMillis: drains[stopped % drains.length] ?? 0 }, stop)
      if (isDone) return { stopped, ends: new Map(ends.map(({ job, stopReason }) => [job, stopReason])) }
      stopped++
    }
  })

export const completed = new Map(jobs.map((job) => [job, "completed"]))

type Records = Effect.Effect.Success<ReturnType<typeof Reopened.records>>

/** The sessions of jobs. */
export const sessionsOf = (jobs: ReadonlyArray<string>) => jobs.map((job) => SessionId.make(job))

/**
 * Compares what jobs left with what is stored about them. Returns the ends of all their runs, and how many were
 * released.
 */
export const check = (root: string, jobs: ReadonlyArray<string>, records: Records) => {
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
}

export const stops = (signals: ReadonlyArray<Life.Stop["signal"]>, after = 7) =>
  signals.map((signal) => ({ after, signal }))
