/** The runners of a campaign: real processes, each behind a gate to the database and one to itself. */
import { Deferred, Effect, Exit, Option, Schema, Scope } from "effect"
import { bundle } from "../../support/programs/Bundle.js"
import * as Process from "../../support/programs/Process.js"
import { freePort } from "../../support/postgres/Server.js"
import * as Gate from "./Gate.js"
import { Ask, Said, Setup } from "./Setup.js"

export interface Options {
  readonly url: string
  readonly schema: string
  readonly folder: string
  /** Null for a cluster with its default settings. */
  readonly leaseMillis: number | null
  readonly workMillis: number
  /** Is passed what runners log. */
  readonly log: (text: string) => void
}

export interface Runner {
  readonly name: string
  /** Whether no fault affects it at the moment. */
  isWell: boolean
  readonly process: Process.RunningProcess
  readonly database: Gate.Gate
  readonly peers: Gate.Gate
  readonly end: Effect.Effect<void>
}

/** Also found from the bundle of `main.ts`. */
const program = bundle(new URL("../../../test/campaigns/chaos/runner.ts", import.meta.url), { whole: true })

const decode = Schema.decodeUnknownOption(Said)

/** What a process last reported of its counts. */
interface Counts {
  readonly fenced: number
  readonly recovered: number
}

/** What a process last reported about the second before. */
interface Pace {
  readonly stoodStill: number
  readonly runs: number
}

/** Event loops that stand still for longer than this are logged, in milliseconds. */
const lateMillis = 1_000

export const make = ({ folder, leaseMillis, log, schema, url, workMillis }: Options) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const runners = new Map<string, Runner>()
    const waiting = new Map<string, Deferred.Deferred<boolean>>()
    const counts = new Map<string, Counts>()
    const breaches: Array<string> = []
    const refusals = new Map<string, number>()
    const released = new Set<string>()
    const lost = new Set<string>()
    /** Of runners that no fault affected. */
    let mostStill = 0
    let mostRuns = 0
    const paces = new Map<string, Pace>()
    let started = 0

    /** A lease must not be both released and taken over as unreleased. */
    const hearLease = (leases: Set<string>, lease: string) => {
      leases.add(lease)
      if (released.has(lease) && lost.has(lease))
        breaches.push(`P9: ${lease} was released by one runner and also taken from it by another`)
    }

    const answer = (text: string, took: boolean) => {
      const asked = waiting.get(text)
      if (asked !== undefined) Deferred.unsafeDone(asked, Effect.succeed(took))
    }

    const hear = (name: string, isLeftAlone: () => boolean, said: Said) => {
      switch (said._tag) {
        case "Took":
          return answer(said.text, true)
        case "Refused":
          refusals.set(said.error, (refusals.get(said.error) ?? 0) + 1)
          return answer(said.text, false)
        case "Counts":
          return void counts.set(name, said)
        case "Twice":
          return void breaches.push(`P5: ${said.callId} ran twice`)
        case "Released":
          return hearLease(released, said.lease)
        case "TookOver":
          return said.reason === "released" ? undefined : hearLease(lost, said.lease)
        case "Pace":
          paces.set(name, said)
          if (!isLeftAlone()) return
          mostRuns = Math.max(mostRuns, said.runs)
          mostStill = Math.max(mostStill, said.stoodStill)
          if (said.stoodStill > lateMillis) log(`${name}: its event loop stood still for ${said.stoodStill} ms`)
          return
        case "Up":
      }
    }

    const start = Effect.gen(function* () {
      const own = yield* Scope.fork(scope, { _tag: "Sequential" })
      const name = `runner ${++started}`
      const target = new URL(url)
      const port = yield* freePort
      const [database, peers] = yield* Effect.all([
        Gate.make({ host: target.hostname, port: Number(target.port) }),
        Gate.make({ host: "127.0.0.1", port })
      ]).pipe(Scope.extend(own))
      target.port = `${database.port}`
      const setup = { url: target.href, schema, folder, port, gate: peers.port, leaseMillis, workMillis }
      const child = yield* Process.start(process.execPath, [yield* program, Schema.encodeSync(Setup)(setup)], {
        talks: true
      }).pipe(Scope.extend(own))
      const first = yield* child.line
      if (Option.isNone(first)) {
        const { stderr } = yield* child.ended
        return yield* Effect.dieMessage(`${name} did not come up: ${stderr.slice(-2_000)}`)
      }
      const listen = Effect.gen(function* () {
        for (;;) {
          const line = yield* child.line
          if (Option.isNone(line)) return
          const said = decode(line.value)
          if (Option.isSome(said)) hear(name, () => runners.get(name)?.isWell === true, said.value)
          else breaches.push(`chaos: the driver does not understand what ${name} says: ${line.value}`)
        }
      })
      yield* Effect.forkIn(listen, own)
      const overhear = Effect.gen(function* () {
        for (;;) {
          const line = yield* child.errorLine
          if (Option.isNone(line)) return
          log(`${name}: ${line.value}`)
        }
      })
      yield* Effect.forkIn(overhear, own)
      const runner: Runner = {
        name,
        isWell: true,
        process: child,
        database,
        peers,
        end: Effect.suspend(() => {
          runners.delete(name)
          return Scope.close(own, Exit.void)
        })
      }
      runners.set(name, runner)
      return runner
    })

    /** Asks a runner to take a message, and returns whether it did so in time. */
    const ask = (runner: Runner, asked: typeof Ask.Type, millis: number) =>
      Effect.gen(function* () {
        const answer = yield* Deferred.make<boolean>()
        waiting.set(asked.text, answer)
        yield* runner.process.say(Schema.encodeSync(Ask)(asked))
        const took = yield* Effect.timeoutOption(Deferred.await(answer), millis)
        return Option.getOrElse(took, () => false)
      })

    const sum = (of: (counts: Counts) => number) => [...counts.values()].reduce((all, one) => all + of(one), 0)

    return {
      start,
      ask,
      all: () => [...runners.values()],
      breaches,
      refusals,
      /**
       * How many leases were released by their runners, and how many were taken from runners that had not released
       * them.
       */
      leases: () => ({ released: released.size, lost: lost.size }),
      /** The longest time that an event loop stood still, and the most runs that one runner had. */
      most: () => ({ still: mostStill, runs: mostRuns }),
      /** The pace of each runner, in words. */
      paces: () =>
        [...runners.values()].map(({ isWell, name }) => {
          const { runs, stoodStill } = paces.get(name) ?? { runs: 0, stoodStill: 0 }
          return `${name} ${isWell ? "is well" : "is not well"}, had ${runs} runs and stood still for ${stoodStill} ms`
        }),
      fenced: () => sum(({ fenced }) => fenced),
      recovered: () => sum(({ recovered }) => recovered)
    }
  })
export type Runners = Effect.Effect.Success<ReturnType<typeof make>>
