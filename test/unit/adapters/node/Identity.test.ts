import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Scope } from "effect"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as ProcessStat from "../../../../src/adapters/node/ProcessStat.js"
import * as Ids from "../../../../src/services/Ids.js"
import { Engines } from "../../../../src/services/Engines.js"
import * as SequentialIds from "../../../support/SequentialIds.js"

/** An engine of its own, until its scope closes. */
const engineOn = Effect.fnUntraced(function* (hosts: Identity.Hosts) {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(Layer.fresh(Identity.layerOn(hosts)), scope)
  return { engines: Context.get(context, Engines), close: Scope.close(scope, Exit.void) }
})
const engine = engineOn("one")

/** Starts a process, and returns the line that it prints. */
const child = (...command: readonly [string, ...Array<string>]) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const [file, ...args] = command
      const process: ChildProcess = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] })
      const output = process.stdout
      const line = output === null ? "" : String((await once(output, "data"))[0])
      return { process, pid: process.pid ?? 0, line: line.trim() }
    }),
    ({ process }) => Effect.sync(() => process.kill("SIGKILL"))
  )

const startTime = (pid: number): string =>
  Option.match(ProcessStat.parse(readFileSync(`/proc/${pid}/stat`, "utf8")), {
    onNone: () => "",
    onSome: (stat) => stat.startTime
  })

describe("Ids", () => {
  it.effect("are random, and have the promised form", () =>
    Effect.gen(function* () {
      const ids = yield* Ids.Ids
      const made = yield* Effect.replicateEffect(ids.next("ses"), 1_000)
      expect(new Set(made).size).toBe(1_000)
      for (const id of made) expect(id).toMatch(/^ses_[a-z2-7]{26}$/)
      const letters = new Set(made.flatMap((id) => Array.from(id.slice(4))))
      expect(letters.size).toBe(32)
    }).pipe(Effect.provide(Identity.layerIds))
  )

  it.effect("made in sequence are predictable, and have the same form", () =>
    Effect.gen(function* () {
      const ids = yield* Ids.Ids
      const made = yield* Effect.replicateEffect(ids.next("run"), 40)
      expect(made[0]).toBe(`run_${"a".repeat(25)}b`)
      expect(made[39]).toBe(`run_${"a".repeat(24)}bi`)
      for (const id of made) expect(id).toMatch(/^run_[a-z2-7]{26}$/)
    }).pipe(Effect.provide(SequentialIds.layer))
  )
})

describe("Engines", () => {
  it.effect("an engine of this process is alive until it is closed, then dead", () =>
    Effect.gen(function* () {
      const first = yield* engine
      const second = yield* engine
      expect(first.engines.self.instance).not.toBe(second.engines.self.instance)
      expect(yield* first.engines.liveness(second.engines.self)).toBe(
        process.platform === "win32" ? "unknown" : "alive"
      )
      yield* second.close
      expect(yield* first.engines.liveness(second.engines.self)).toBe(process.platform === "win32" ? "unknown" : "dead")
      yield* first.close
    })
  )
})

describe("an engine's elapsed time", () => {
  it("counts the time that its host sleeps, and ignores changes of the wall clock", () => {
    const times = { monotonic: 5_000, wall: 1_000_000, up: 90_000 }
    const elapsed = Identity.elapsedOn({
      monotonic: () => times.monotonic,
      wall: () => times.wall,
      up: () => times.up
    })
    const pass = (millis: number, slept = 0, set = 0) => {
      times.monotonic += millis
      times.up += millis + slept
      times.wall += millis + slept + set
    }
    const took = (change: () => void) => {
      const before = elapsed()
      change()
      return elapsed() - before
    }
    expect(took(() => pass(700))).toBe(700)
    expect(took(() => pass(100, 60_000))).toBe(60_100)
    expect(took(() => pass(100))).toBe(100)
    expect(took(() => pass(100, 0, 3_600_000))).toBe(100)
    expect(took(() => pass(100, 0, -7_200_000))).toBe(100)
    expect(took(() => pass(100, 20_000))).toBe(20_100)
  })
})

const onLinux = process.platform === "linux" ? describe : () => undefined

onLinux("Engines on Linux", () => {
  const withEngine = <E>(body: (engines: Context.Tag.Service<Engines>) => Effect.Effect<void, E, Scope.Scope>) =>
    Effect.gen(function* () {
      const { close, engines } = yield* engine
      yield* Effect.ensuring(body(engines), close)
    })

  it.scoped("an engine knows its boot, PID namespace, pid and start time", () =>
    withEngine(({ self }) =>
      Effect.sync(() => {
        expect(self.bootId).toMatch(/^[0-9a-f-]{36}$/)
        expect(self.pidNamespace).toMatch(/^pid:\[\d+\]$/)
        expect(self.pid).toBe(process.pid)
        expect(self.startTime).toBe(startTime(process.pid))
      })
    )
  )

  it.scoped("where several hosts share a storage, an engine and its clock carry the host's name", () =>
    Effect.gen(function* () {
      const one = yield* engine
      const { close, engines } = yield* engineOn("many")
      expect(one.engines.self.host).toBeNull()
      expect(engines.self.host).toBe(Identity.hostName(hostname()))
      expect((yield* one.engines.sign).clock).not.toContain(Identity.hostName(hostname()))
      expect((yield* engines.sign).clock).toBe(`${engines.self.host} ${(yield* one.engines.sign).clock}`)
      expect(yield* engines.liveness({ ...engines.self, host: "elsewhere", pid: 4_194_304 })).toBe("unknown")
      expect(yield* engines.liveness({ ...engines.self, pid: 4_194_304 })).toBe("dead")
      yield* Effect.zipRight(close, one.close)
    })
  )

  it("a long host name is cut, and still differs from a similar one", () => {
    const names = ["agents-of-the-team-1.example.org", "agents-of-the-team-2.example.org"].map(Identity.hostName)
    expect(new Set(names).size).toBe(2)
    for (const name of names) expect(name).toMatch(/^agents-of-the-t-[0-9a-f]{8}$/)
    expect(Identity.hostName("a".repeat(24))).toBe("a".repeat(24))
  })

  it.scoped("another process is alive while it runs, and dead once it is killed", () =>
    withEngine(({ liveness, self }) =>
      Effect.gen(function* () {
        const other = yield* child("sh", "-c", "echo ready; exec sleep 600")
        const engine = { ...self, pid: other.pid, startTime: startTime(other.pid), instance: "other" }
        expect(yield* liveness(engine)).toBe("alive")
        other.process.kill("SIGKILL")
        yield* Effect.promise(() => once(other.process, "exit"))
        expect(yield* liveness(engine)).toBe("dead")
      })
    )
  )

  it.scoped("an engine whose pid now belongs to another process is dead", () =>
    withEngine(({ liveness, self }) =>
      Effect.gen(function* () {
        const other = yield* child("sh", "-c", "echo ready; exec sleep 600")
        expect(yield* liveness({ ...self, pid: other.pid, startTime: "1", instance: "other" })).toBe("dead")
        expect(yield* liveness({ ...self, startTime: "1" })).toBe("dead")
      })
    )
  )

  it.scopedLive("a zombie process is dead, even though its pid still exists", () =>
    withEngine(({ liveness, self }) =>
      Effect.gen(function* () {
        // The shell that started it would reap it, but by then it has replaced itself with a program that does not.
        const parent = yield* child("sh", "-c", "sleep 600 & exec sh -c 'echo $0; exec sleep 600' $!")
        const pid = Number(parent.line)
        const engine = { ...self, pid, startTime: startTime(pid), instance: "other" }
        expect(yield* liveness(engine)).toBe("alive")
        process.kill(pid, "SIGKILL")
        yield* Effect.repeat(liveness(engine), { until: (liveness) => liveness === "dead" })
        expect(process.kill(pid, 0)).toBe(true)
      })
    )
  )

  it.scoped("an engine of another boot is dead; one in another PID namespace or thread is unknown", () =>
    withEngine(({ liveness, self }) =>
      Effect.gen(function* () {
        expect(yield* liveness({ ...self, bootId: "other" })).toBe("dead")
        expect(yield* liveness({ ...self, pidNamespace: "other", pid: 4_194_304 })).toBe("unknown")
        expect(yield* liveness({ ...self, instance: "eng_other.7" })).toBe("unknown")
        expect(yield* liveness({ ...self, bootId: "" })).toBe("unknown")
        expect(yield* liveness({ ...self, startTime: "" })).toBe("unknown")
      })
    )
  )
})

describe("ProcessStat", () => {
  const rest = "S 1 77 77 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 5 0 150687 1 2 3"

  it.each(["cat", "a b", "x) S 9 9 (", "", ")"])("a program named %j does not confuse it", (name) => {
    expect(ProcessStat.parse(`42 (${name}) ${rest}\n`)).toEqual(
      Option.some({ pid: 42, state: "S", group: 77, threads: 5, startTime: "150687" })
    )
  })

  it("a malformed text gives none", () => {
    for (const text of ["", "42", "42 (cat) S 1", "(cat)"]) expect(ProcessStat.parse(text)).toEqual(Option.none())
  })

  it("a process has ended when its last thread has", () => {
    const stat = { pid: 1, group: 1, startTime: "1" }
    expect(ProcessStat.hasEnded({ ...stat, state: "Z", threads: 1 })).toBe(true)
    expect(ProcessStat.hasEnded({ ...stat, state: "Z", threads: 2 })).toBe(false)
    expect(ProcessStat.hasEnded({ ...stat, state: "R", threads: 1 })).toBe(false)
  })
})
