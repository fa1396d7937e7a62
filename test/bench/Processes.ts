/** Measurements between processes, and of the event loop. */
import Sqlite from "better-sqlite3"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { Clock, Effect, Fiber, ManagedRuntime, Stream } from "effect"
import { Gateway, Message, Session, SessionEvent } from "../../src/index.js"
import * as InFolder from "./InFolder.js"
import * as Measure from "./Measure.js"
import * as Raw from "./Raw.js"
import type { Row } from "./Row.js"
import * as Worker from "./Worker.js"

const withEngine = <A>(use: (run: InFolder.Run<Gateway.Gateway>, folder: string) => Promise<A>): Promise<A> =>
  InFolder.inFolder(Worker.engineOn, use)

const millis = (value: number): string => `${value.toFixed(1)} ms`

/** The longest time by which a timer of 10 ms was late during the work. */
const longestGap = async <A>(work: Promise<A>): Promise<{ readonly gap: number; readonly value: A }> => {
  let last = performance.now()
  let gap = 0
  const look = Effect.sync(() => {
    const now = performance.now()
    gap = Math.max(gap, now - last - 10)
    last = now
  })
  const timer = Effect.runFork(Effect.forever(Effect.zipRight(Effect.sleep(10), look)))
  try {
    return { value: await work, gap }
  } finally {
    await Effect.runPromise(Fiber.interrupt(timer))
  }
}

/** Four processes on one database, each with its own session; no message may be lost. */
export const fourProcesses = async (aim: string): Promise<Row> => {
  const count = 500
  const names = ["p1", "p2", "p3", "p4"]
  const once = async (kind: "ours" | "raw"): Promise<number> => {
    const folder = Raw.folder()
    const workers = await Promise.all(names.map((session) => Worker.start({ kind, folder, session, count })))
    const time = await Measure.timed(async () => {
      for (const worker of workers) worker.go()
      await Promise.all(workers.map(({ done }) => done()))
    })
    await Promise.all(workers.map(({ gone }) => gone()))
    if (kind === "ours") {
      const runtime = ManagedRuntime.make(Worker.engineOn(folder))
      const heads = await runtime.runPromise(
        Effect.flatMap(Gateway.Gateway, (gateway) =>
          Effect.forEach(names, (session) => Worker.headOf(gateway, session))
        )
      )
      await runtime.dispose()
      if (heads.some((head) => head !== count)) throw new Error(`messages were lost: ${heads.join(", ")}`)
    }
    Raw.remove(folder)
    return time
  }
  const rounds: Array<{ readonly theirs: number; readonly ours: number }> = []
  for (let round = 0; round < 3; round++) rounds.push({ theirs: await once("raw"), ours: await once("ours") })
  const speed = Measure.median(rounds.map(({ ours, theirs }) => theirs / ours))
  return {
    name: "4 processes x 500 appends with reads, 1 KB",
    value: `${speed.toFixed(2)}x, nothing lost`,
    aim,
    numbers: { speed, oursMillis: Measure.median(rounds.map(({ ours }) => ours)) }
  }
}

/**
 * The first appends of a new process, one after the other, when nothing is compiled yet and no statement is prepared.
 */
export const firstAppends = async (count: number, aim: string): Promise<Row> => {
  const once = async (kind: "ours" | "raw") => {
    const folder = Raw.folder()
    const worker = await Worker.start({ kind, folder, session: "first", count })
    worker.go()
    const spent = await worker.done()
    await worker.gone()
    Raw.remove(folder)
    return spent
  }
  const rounds: Array<{ readonly theirs: Measure.Spent; readonly ours: Measure.Spent }> = []
  for (let round = 0; round < 7; round++) rounds.push({ theirs: await once("raw"), ours: await once("ours") })
  const speed = Measure.median(rounds.map(({ ours, theirs }) => theirs.millis / ours.millis))
  const cost = Measure.median(rounds.map(({ ours, theirs }) => ours.cpu / theirs.cpu))
  return {
    name: `Gateway append, the first ${count} of a process, with reads`,
    value: `${speed.toFixed(2)}x, CPU ${cost.toFixed(1)}x`,
    aim,
    numbers: { speed, cost }
  }
}

/** Another connection holds the write lock for 2 s while a write waits for it. */
export const foreignLock = (): Promise<Row> =>
  withEngine(async (run, folder) => {
    const { id } = await run(Effect.flatMap(Gateway.Gateway, (gateway) => gateway.create({ workdir: "/" })))
    const other = new Sqlite(join(folder, "skein.db"), { timeout: 5_000 })
    other.exec("BEGIN IMMEDIATE")
    let released = 0
    const release = Effect.sync(() => {
      released = performance.now()
      other.exec("COMMIT")
    })
    Effect.runFork(Effect.zipRight(Effect.sleep(2_000), release))
    const { gap } = await longestGap(
      run(
        Effect.flatMap(Gateway.Gateway, (gateway) => gateway.patch({ sessionId: id, title: "renamed behind a lock" }))
      )
    )
    const after = performance.now() - released
    other.close()
    return {
      name: "event loop under a foreign lock of 2 s",
      value: `longest gap ${millis(gap)}, written ${millis(after)} after it`,
      aim: "gap under 50 ms",
      numbers: { gap, after }
    }
  })

/** From the `kill -9` of the process that has a run until another process has started the session's next run. */
export const takeOver = (): Promise<Row> =>
  withEngine(async (run, folder) => {
    const times: Array<number> = []
    for (let round = 0; round < 7; round++) {
      const session = `taken-${round}`
      const worker = await Worker.start({ kind: "hang", folder, session, count: 0 })
      worker.go()
      await worker.running()
      await worker.kill()
      times.push(
        await Measure.timed(() =>
          run(
            Effect.flatMap(Gateway.Gateway, (gateway) =>
              gateway.send({ sessionId: Session.Id.make(session), text: "go on" })
            )
          )
        )
      )
    }
    const [p50, most] = [Measure.median(times), Math.max(...times)]
    return {
      name: "take-over after a kill, to the next run",
      value: `p50 ${millis(p50)}, max ${millis(most)}`,
      aim: "",
      numbers: { p50, most }
    }
  })

/** From an event's commit in one process until it reaches a subscriber in another; whole milliseconds. */
export const eventLag = (): Promise<Row> =>
  withEngine(async (run, folder) => {
    const count = 400
    const worker = await Worker.start({ kind: "trickle", folder, session: "told", count })
    const lags = run(
      Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        return yield* gateway.events({ sessionId: Session.Id.make("told") }).pipe(
          Stream.filter(SessionEvent.is("message.appended")),
          Stream.take(count),
          Stream.mapEffect(({ at }) => Effect.map(Clock.currentTimeMillis, (now) => now - at)),
          Stream.runCollect
        )
      })
    )
    worker.go()
    const times = [...(await lags)]
    await worker.done()
    const [p50, p99] = [Measure.median(times), Measure.quantile(times, 0.99)]
    return {
      name: `event lag between processes (${count} events)`,
      value: `p50 ${p50} ms, p99 ${p99} ms`,
      aim: "p99 under 50 ms",
      numbers: { p50, p99 }
    }
  })

const gibibyte = 1024 * 1024 * 1024
const chunk = new Uint8Array(256 * 1024).fill(7)

/** Appends every few milliseconds, alone and while an asset of 1 GiB streams in. */
export const besideAnAsset = (): Promise<Row> =>
  withEngine(async (run) => {
    const measure = (asset: boolean) =>
      longestGap(
        run(
          Effect.gen(function* () {
            const gateway = yield* Gateway.Gateway
            const { id } = yield* gateway.create({ workdir: "/" })
            const content = Stream.take(Stream.repeatValue(chunk), gibibyte / chunk.length)
            const upload = yield* Effect.fork(
              asset
                ? gateway.saveAsset({ sessionId: id, mediaType: "application/octet-stream", content })
                : Effect.sleep(4_000)
            )
            const times: Array<number> = []
            while (upload.unsafePoll() === null) {
              const from = performance.now()
              yield* gateway.append(id, [Message.userText("beside it")])
              times.push(performance.now() - from)
              yield* Effect.sleep(3)
            }
            yield* Fiber.join(upload)
            return times
          })
        )
      )
    const alone = await measure(false)
    const beside = await measure(true)
    const p99 = (times: ReadonlyArray<number>) => Measure.quantile(times, 0.99)
    const factor = p99(beside.value) / p99(alone.value)
    return {
      name: `append while 1 GiB streams in (${beside.value.length} times)`,
      value:
        `p50 ${millis(Measure.median(beside.value))}, p99 ${millis(p99(beside.value))} (${factor.toFixed(2)}x of ` +
        `${millis(p99(alone.value))}), max ${millis(Math.max(...beside.value))}, gap ${millis(beside.gap)} ` +
        `(alone ${millis(alone.gap)})`,
      aim: "p99 below 2x, gap under 50 ms",
      numbers: { factor, p99: p99(beside.value), most: Math.max(...beside.value), gap: beside.gap, gapAlone: alone.gap }
    }
  })
