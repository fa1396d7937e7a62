/**
 * A campaign: runners in processes of their own over one PostgreSQL, messages to many sessions through any of them, and
 * one fault after the other, as the seed decides. At the end all faults are lifted, every message must settle, and what
 * is stored is compared with what was sent. A broken promise is reported in words.
 */
import { Cause, Clock, Effect, Exit, Layer, Ref, Schedule } from "effect"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import * as Client from "../../support/postgres/Client.js"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import { Storage } from "../../../src/services/storage/Storage.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import * as Dice from "../../support/verdicts/Dice.js"
import * as Plan from "./Plan.js"
import * as Runners from "./Runners.js"
import { textOf } from "./Setup.js"
import * as Verdict from "./Verdict.js"

export interface Report {
  /** Null when every promise held. */
  readonly failure: string | null
  readonly faults: Readonly<Partial<Record<Plan.Kind, number>>>
  readonly messages: number
  /** Attempts to send the messages, beyond the one that each needs. */
  readonly resent: number
  readonly recovered: number
  readonly fenced: number
  /** Runs of stopped runners that other runners still had when the stopped ones woke up. */
  readonly outlasted: number
  /** Leases that runners released, and leases that were taken from them. */
  readonly leases: { readonly released: number; readonly lost: number }
  /** The longest time that a session with a run showed nothing, in milliseconds. */
  readonly silence: number
  /** From a message to its run's end, in milliseconds. */
  readonly settled: { readonly p50: number; readonly p99: number; readonly most: number }
  /**
   * The longest time that an event loop stood still, in milliseconds: of runners that were well, and of this process.
   */
  readonly stoodStill: { readonly runners: number; readonly driver: number }
  /** The most runs that one runner had while it was well. */
  readonly mostRuns: number
  /** Processes that wanted to run, as averages over one minute. */
  readonly load: { readonly mean: number; readonly most: number }
  readonly refusals: Readonly<Record<string, number>>
  readonly ended: Verdict.Ended | null
}

/** For how long nothing at all may happen while something is left to do, in milliseconds. */
const restMillis = 120_000

/** How long a runner that was stopped is left alone after it continues, in milliseconds. */
const wakeMillis = 2_500

const schema = "skein"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-chaos-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const now = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos / 1_000_000n))

interface Held {
  readonly sessionId: string
  readonly runId: string
  readonly fence: number
}

/** The leases that a runner's engine holds, according to the database. */
const leasesOf = (url: string, { process }: Runners.Runner) =>
  Client.once<Held>(
    url,
    `SELECT session_rows.id AS "sessionId", runs.id AS "runId", fence
     FROM ${schema}.runs JOIN ${schema}.session_rows ON session_rows.ordinal = runs.session
     WHERE runs.state = 'running' AND (engine::json->>'pid')::int = $1`,
    [process.pid]
  )

/**
 * Counts the runs of these leases that others have taken over since and that have not ended. A write that their engine
 * had begun when it was stopped may arrive only now: such a write is tried here, and must be refused. The engine itself
 * often learns first that its runs belong to another, and writes nothing.
 */
const outlasting = (url: string, leases: ReadonlyArray<Held>) =>
  Effect.gen(function* () {
    const taken = yield* Client.once<{ readonly runId: string }>(
      url,
      `SELECT runs.id AS "runId" FROM json_to_recordset($1::json) AS held ("runId" text, fence int)
       JOIN ${schema}.runs ON runs.id = held."runId" JOIN ${schema}.session_rows ON session_rows.ordinal = runs.session
       WHERE runs.state = 'running' AND runs.engine IS NOT NULL AND session_rows.fence > held.fence`,
      [JSON.stringify(leases)]
    )
    const storage = yield* Storage
    for (const { runId } of taken) {
      const lease = leases.find((lease) => lease.runId === runId)
      if (lease === undefined) continue
      const exit = yield* Effect.exit(
        storage.releaseRun({
          sessionId: SessionId.make(lease.sessionId),
          runId: RunId.make(runId),
          fence: lease.fence
        })
      )
      if (Exit.isSuccess(exit))
        broken("P9", `storage accepted a write by the former holder of ${runId}, which had been taken over`)
    }
    return taken.length
  })

/**
 * Waits until a stopped runner has no runs any more: others take them over, later than planned on a slow machine. Returns
 * how many of these others had at most at the same time.
 */
const taken = (url: string, leases: ReadonlyArray<Held>, runner: Runners.Runner) =>
  Effect.gen(function* () {
    let most = yield* outlasting(url, leases)
    while ((yield* leasesOf(url, runner)).length > 0) {
      yield* Effect.sleep("500 millis")
      most = Math.max(most, yield* outlasting(url, leases))
    }
    return most
  })

/**
 * Applies the fault and lifts it again. Returns how many of the runner's runs had been taken over by then and were
 * still going on.
 */
const strike = (url: string, runners: Runners.Runners, fault: Plan.Fault, isForLong: boolean, runner: Runners.Runner) =>
  Effect.gen(function* () {
    const { database, peers, process } = runner
    const pause = Effect.sleep(fault.millis)
    const replace = Effect.zipRight(runner.end, runners.start)
    runner.isWell = false
    let outlasted = 0
    switch (fault.kind) {
      case "kill":
        yield* process.signal("SIGKILL")
        yield* process.ended
        yield* replace
        return outlasted
      case "term": {
        yield* process.signal("SIGTERM")
        const { code, signal, stderr } = yield* process.ended
        if (code !== 0 && code !== 130 && code !== 143 && signal !== "SIGTERM")
          broken("chaos", `${runner.name} ended with ${code ?? signal}: ${stderr.slice(-1_000)}`)
        yield* replace
        return outlasted
      }
      case "join": {
        // A new runner joins, and this one leaves once the new one is up.
        yield* runners.start
        yield* process.signal("SIGTERM")
        yield* process.ended
        yield* runner.end
        return outlasted
      }
      case "stop": {
        yield* process.signal("SIGSTOP")
        const leases = yield* leasesOf(url, runner)
        yield* pause
        outlasted = yield* isForLong ? taken(url, leases, runner) : outlasting(url, leases)
        yield* process.signal("SIGCONT")
        // The runner has this time to find out, undisturbed. After that its event loop no longer reports the stop
        // either.
        yield* Effect.sleep(wakeMillis)
        break
      }
      case "database": {
        const leases = yield* leasesOf(url, runner)
        yield* Effect.acquireUseRelease(
          database.shut,
          () => pause,
          () => database.open
        )
        outlasted = yield* outlasting(url, leases)
        break
      }
      case "peers":
        yield* Effect.acquireUseRelease(
          peers.shut,
          () => pause,
          () => peers.open
        )
        break
    }
    runner.isWell = true
    return outlasted
  })

const percentile = (sorted: ReadonlyArray<number>, share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

const sessionOf = (number: number) => `s${number}`

/** Plays a campaign on an empty database. */
export const play = (
  options: Plan.Options,
  url: string,
  /** Is passed what is done, as it happens. */
  log: (text: string) => void = () => {}
): Effect.Effect<Report> =>
  Effect.gen(function* () {
    const start = yield* now
    const note = (text: string) => Effect.map(now, (at) => log(`${((at - start) / 1_000).toFixed(1)} s: ${text}`))
    const { isByDefault, leaseMillis, messageMillis, millis, seed, sessions, silenceMillis, workMillis } = options
    const folder = join(yield* temporary, "calls")
    mkdirSync(folder)
    const runners = yield* Runners.make({
      url,
      schema,
      folder,
      leaseMillis: isByDefault ? null : leaseMillis,
      workMillis,
      log
    })
    const faults: Partial<Record<Plan.Kind, number>> = {}
    const sent = new Map<string, Array<string>>()
    let tries = 0
    let silence = 0
    let outlasted = 0
    let isStoppedForLong = false
    const loads: Array<number> = []
    const delays = monitorEventLoopDelay({ resolution: 20 })
    delays.enable()
    let settled: ReadonlyArray<number> = []
    /** Messages that no runner has accepted yet, and faults that are not over: reported when time is up. */
    const pending = new Set<string>()
    const pendingAs =
      (what: string) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.acquireUseRelease(
          Effect.sync(() => pending.add(what)),
          () => effect,
          () => Effect.sync(() => pending.delete(what))
        )
    const dice = Dice.make(seed, 1)

    const send = (session: string, text: string) =>
      Effect.gen(function* () {
        tries++
        const runner = dice.pick(runners.all())
        return yield* runners.ask(runner, { sessionId: session, text }, leaseMillis)
      }).pipe(Effect.repeat({ until: (took) => took, schedule: Schedule.spaced("50 millis") }), pendingAs(text))

    const talk = (number: number) =>
      Effect.gen(function* () {
        const session = sessionOf(number)
        const texts: Array<string> = []
        sent.set(session, texts)
        const began = yield* now
        for (let at = (messageMillis * number) / sessions; at < millis; at += messageMillis) {
          yield* Effect.sleep(Math.max(0, began + at - (yield* now)))
          const count = texts.length + 1
          const text = textOf(session, count, Plan.calls(options, number, count))
          texts.push(text)
          yield* send(session, text)
        }
      })

    const act = Effect.gen(function* () {
      const began = yield* now
      const acts: Array<Effect.Effect<void, unknown, Storage>> = []
      for (const fault of Plan.faults(options)) {
        acts.push(
          Effect.gen(function* () {
            yield* Effect.sleep(Math.max(0, began + fault.at - (yield* now)))
            const well = runners.all().filter(({ isWell }) => isWell)
            const target = well[fault.target % well.length]
            // At least one runner must be left that is well.
            if (target === undefined || well.length < 2) return
            faults[fault.kind] = (faults[fault.kind] ?? 0) + 1
            const isForLong = fault.kind === "stop" && fault.millis > 2 * leaseMillis
            isStoppedForLong ||= isForLong
            yield* note(`${target.name}: ${fault.kind}${fault.kind === "stop" ? ` for ${fault.millis} ms` : ""}`)
            loads.push(loadavg()[0] ?? 0)
            const mine = yield* pendingAs(`${fault.kind} of ${target.name}`)(
              strike(url, runners, fault, isForLong, target)
            )
            outlasted += mine
            yield* note(`${target.name}: ${fault.kind} is over${mine === 0 ? "" : `, others have ${mine} of its runs`}`)
          })
        )
      }
      yield* Effect.all(acts, { concurrency: "unbounded", discard: true })
    })

    /** Watches how long sessions with runs have shown nothing, by the clock of the database. */
    const listen = (isOver: Ref.Ref<boolean>) =>
      Effect.gen(function* () {
        const client = yield* Client.connect(url)
        let news = ""
        let last = yield* now
        for (;;) {
          yield* Effect.sleep("500 millis")
          const [latest] = yield* Client.ask<{ readonly at: string | null }>(
            client,
            `SELECT max(updated_at)::text AS at FROM ${schema}.session_rows`
          )
          const found = `${latest?.at ?? ""} ${[...pending].join(", ")}`
          if (found !== news) last = yield* now
          news = found
          if ((yield* now) - last > restMillis) broken("chaos", `nothing has happened for ${restMillis} ms: ${found}`)
          const rows = yield* Client.ask<{ readonly id: string; readonly millis: number }>(
            client,
            `SELECT id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint - updated_at AS millis
             FROM ${schema}.session_rows WHERE ordinal IN (SELECT session FROM ${schema}.runs WHERE state <> 'ended')
             ORDER BY updated_at`
          )
          const [first] = rows
          silence = Math.max(silence, first?.millis ?? 0)
          if (first !== undefined && first.millis > silenceMillis / 2) {
            // What the server is doing at that moment shows who waits for whom.
            const backends = yield* Client.ask<{ readonly backend: string }>(
              client,
              `SELECT concat_ws(' ', pid, application_name, state, wait_event_type, wait_event,
                 round(extract(epoch FROM clock_timestamp() - state_change)::numeric, 1), left(query, 120)) AS backend
               FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`
            )
            yield* note(`${first.id} has been silent for ${first.millis} ms, at a load of ${loadavg()[0]?.toFixed(1)}`)
            for (const pace of runners.paces()) log(`  ${pace}`)
            for (const { backend } of backends) log(`  ${backend}`)
          }
          if (first !== undefined && first.millis > silenceMillis)
            broken("chaos", `${first.id} was silent for ${first.millis} ms; the limit is ${silenceMillis}`)
          if (runners.breaches[0] !== undefined) broken("chaos", runners.breaches[0])
          if (first === undefined && (yield* Ref.get(isOver))) return
        }
      }).pipe(Effect.scoped)

    const played = Effect.gen(function* () {
      yield* Effect.replicateEffect(runners.start, options.runners, { concurrency: "unbounded", discard: true })
      yield* note(`${options.runners} runners are up`)
      const isOver = yield* Ref.make(false)
      const storage = yield* Layer.build(Verdict.storage(url, schema))
      const talking = Effect.forEach(
        Array.from({ length: sessions }, (_, number) => number),
        talk,
        { concurrency: "unbounded", discard: true }
      )
      yield* Effect.all(
        [
          Effect.all([talking, Effect.provide(act, storage)], { concurrency: "unbounded", discard: true }).pipe(
            Effect.zipRight(note("all messages are accepted")),
            Effect.zipRight(Ref.set(isOver, true)),
            // A broken promise is reported immediately, whatever is still going on.
            Effect.disconnect
          ),
          Effect.disconnect(listen(isOver))
        ],
        { concurrency: "unbounded", discard: true }
      )
      yield* note("all messages have settled")
      const client = yield* Client.connect(url)
      const rows = yield* Client.ask<{ readonly millis: number }>(
        client,
        `SELECT ended_at - created_at AS millis FROM ${schema}.runs ORDER BY 1`
      )
      settled = rows.map(({ millis }) => millis)
      const ended = yield* Effect.provide(Verdict.check(folder, sent), storage)
      if (isStoppedForLong && outlasted === 0)
        broken("chaos", "no run outlasted a stop, so no write of a former holder tested the fence")
      return ended
    }).pipe(Effect.scoped)

    const exit = yield* Effect.exit(played)
    yield* note("the campaign is over")
    return {
      failure: Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : null,
      faults,
      messages: [...sent.values()].reduce((sum, texts) => sum + texts.length, 0),
      resent: tries - [...sent.values()].reduce((sum, texts) => sum + texts.length, 0),
      recovered: runners.recovered(),
      fenced: runners.fenced(),
      outlasted,
      leases: runners.leases(),
      silence,
      settled: { p50: percentile(settled, 0.5), p99: percentile(settled, 0.99), most: settled.at(-1) ?? 0 },
      mostRuns: runners.most().runs,
      stoodStill: { runners: runners.most().still, driver: Math.round(delays.max / 1_000_000) },
      load: {
        mean: loads.reduce((sum, load) => sum + load, 0) / Math.max(1, loads.length),
        most: Math.max(0, ...loads)
      },
      refusals: Object.fromEntries(runners.refusals),
      ended: Exit.isSuccess(exit) ? exit.value : null
    }
  }).pipe(Effect.scoped)
