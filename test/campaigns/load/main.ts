/**
 * `npm run soak [-- --minutes M] [--sessions N] [--tools T]`: constant load on one data folder, and what it costs over
 * time. Fails when file descriptors, memory, the log or temporary files grow from the second quarter of the time to the
 * last one, or when a transcript is not as it must be.
 *
 * `--once` runs the sessions once, all at the same time, and says how long that took and how much memory it needed.
 */
import { Clock, Duration, Effect, Layer, Logger, LogLevel, ManagedRuntime, Predicate, Ref } from "effect"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Load from "./Load.js"

const option = (name: string, otherwise: number): number => {
  const place = process.argv.indexOf(`--${name}`)
  return place === -1 ? otherwise : Number(process.argv[place + 1])
}

const minutes = option("minutes", 10)
const sessions = option("sessions", process.argv.includes("--once") ? 200 : 20)
const shape: Load.Shape = { steps: 2, tools: option("tools", 8), millis: 50 }

const data = mkdtempSync(join(tmpdir(), "skein-soak-"))
process.on("exit", () => rmSync(data, { recursive: true, force: true }))

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Counts the files in the assets' folder that belong to uploads in progress. */
const temporary = (): number => {
  const root = join(data, "assets")
  if (statSync(root, { throwIfNoEntry: false }) === undefined) return 0
  return readdirSync(root, { recursive: true }).filter((name) => String(name).endsWith("content")).length
}

interface Sample {
  readonly second: number
  readonly descriptors: number
  readonly heapMiB: number
  readonly rssMiB: number
  readonly walMiB: number
  readonly databaseMiB: number
  readonly temporary: number
  readonly turns: number
}

const mib = (bytes: number): number => Math.round((bytes / 1024 / 1024) * 10) / 10

setFlagsFromString("--expose-gc")
const collector: unknown = runInNewContext("gc")
const isThunk = (value: unknown): value is () => void => Predicate.isFunction(value)

/** After a garbage collection only live memory is counted. */
const collect = Effect.sync(() => {
  if (isThunk(collector)) collector()
})

const sample = (second: number, turns: number): Sample => {
  const { heapUsed, rss } = process.memoryUsage()
  return {
    second,
    descriptors: readdirSync("/proc/self/fd").length,
    heapMiB: mib(heapUsed),
    rssMiB: mib(rss),
    walMiB: mib(sizeOf(join(data, "skein.db-wal"))),
    databaseMiB: mib(sizeOf(join(data, "skein.db"))),
    temporary: temporary(),
    turns
  }
}

const worst = (samples: ReadonlyArray<Sample>, of: (sample: Sample) => number): number => Math.max(...samples.map(of))

/** What grew by more than chance explains. */
const growth = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> => {
  const quarter = Math.floor(samples.length / 4)
  const [early, late] = [samples.slice(quarter, 2 * quarter), samples.slice(-quarter)]
  const bounds = [
    ["descriptors", (sample: Sample) => sample.descriptors, 1, 5],
    ["heapMiB", (sample: Sample) => sample.heapMiB, 1.1, 10],
    ["rssMiB", (sample: Sample) => sample.rssMiB, 1.2, 50],
    ["walMiB", (sample: Sample) => sample.walMiB, 2, 16],
    ["temporary", (sample: Sample) => sample.temporary, 1, sessions]
  ] as const
  return bounds.flatMap(([name, of, factor, room]) => {
    const [before, after] = [worst(early, of), worst(late, of)]
    return after > before * factor + room ? [`${name} grew from ${before} to ${after}`] : []
  })
}

const engine = Load.engine(data, shape).pipe(Layer.provideMerge(Logger.minimumLogLevel(LogLevel.Warning)))

const once = Effect.gen(function* () {
  const before = sample(0, 0)
  const peak = yield* Ref.make(before)
  const watching = Effect.forever(
    Effect.zipRight(
      Effect.sleep("200 millis"),
      Ref.update(peak, (worst) => {
        const now = sample(0, 0)
        return now.rssMiB > worst.rssMiB ? now : worst
      })
    )
  )
  yield* Effect.forkScoped(watching)
  const [took, turns] = yield* Effect.timed(
    Effect.forEach(Array.from({ length: sessions }), () => Load.turn(shape), { concurrency: "unbounded" })
  )
  const faults = turns.flatMap(({ faults }) => faults)
  const { heapMiB, rssMiB } = yield* Ref.get(peak)
  console.log(
    `${sessions} sessions at the same time, ${shape.steps} steps of ${shape.tools} tools: ${Duration.format(took)}`
  )
  console.log(`memory before ${before.rssMiB} MiB, at most ${rssMiB} MiB (heap ${heapMiB} MiB)`)
  return faults
})

const soak = Effect.gen(function* () {
  const start = yield* Clock.currentTimeMillis
  const end = start + minutes * 60_000
  const faults = yield* Ref.make<ReadonlyArray<string>>([])
  const turns = yield* Ref.make(0)
  const samples: Array<Sample> = []
  const worker = Effect.gen(function* () {
    while ((yield* Clock.currentTimeMillis) < end) {
      const found = yield* Load.life(shape)
      yield* Ref.update(turns, (count) => count + 1)
      if (found.length > 0) yield* Ref.update(faults, (all) => [...all, ...found])
    }
  })
  const sampler = Effect.forever(
    Effect.gen(function* () {
      yield* Effect.sleep(Duration.millis(Math.max(1_000, (minutes * 60_000) / 60)))
      yield* collect
      const now = sample(Math.round(((yield* Clock.currentTimeMillis) - start) / 1_000), yield* Ref.get(turns))
      samples.push(now)
      if (samples.length === 1) console.log(Object.keys(now).join("\t"))
      console.log(Object.values(now).join("\t"))
    })
  )
  yield* Effect.forkScoped(sampler)
  yield* Effect.forEach(Array.from({ length: sessions }), () => worker, { concurrency: "unbounded", discard: true })
  return [...(yield* Ref.get(faults)), ...growth(samples)]
})

const runtime = ManagedRuntime.make(engine)
const faults = await runtime.runPromise(Effect.scoped(process.argv.includes("--once") ? once : soak))
await runtime.dispose()
for (const fault of faults) console.log(fault)
console.log(faults.length === 0 ? "nothing grew, and every transcript is whole" : `${faults.length} faults`)
process.exit(faults.length === 0 ? 0 : 1)
