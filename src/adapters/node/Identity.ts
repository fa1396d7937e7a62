/**
 * The identity of an engine on this host, and the ids that it makes.
 *
 * Another engine is declared dead only on proof, see `Liveness.liveness`. Linux: boot id, pid namespace and start time
 * come from /proc. macOS: from `sysctl` and `ps`. Elsewhere nothing can be proven, and every other engine is `unknown`.
 * Engines of one process know each other through a registry on `globalThis`, one per thread: an engine of another
 * thread is `unknown` as long as the process lives.
 *
 * Where several hosts share a storage, the host's name is part of an engine's identity and of its clock's name.
 */
import { Effect, Layer, Option, Predicate } from "effect"
import { execFile } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { readFile, readlink } from "node:fs/promises"
import { hostname, uptime } from "node:os"
import { threadId } from "node:worker_threads"
import * as Lease from "../../domain/Lease.js"
import * as Liveness from "../../domain/Liveness.js"
import * as Ids from "../../services/Ids.js"
import { Engines } from "../../services/Engines.js"
import * as ProcessStat from "./ProcessStat.js"

/**
 * Random bytes per id, and the number of ids whose bytes are drawn together: drawing bytes costs more than making an id
 * of them.
 */
const [idBytes, idsAtOnce] = [16, 64]

/** @internal */
export const layerIds: Layer.Layer<Ids.Ids> = Layer.sync(Ids.Ids, () => {
  let bytes = Buffer.alloc(0)
  let used = 0
  const next = () => {
    if (used === bytes.length) {
      bytes = randomBytes(idBytes * idsAtOnce)
      used = 0
    }
    return BigInt(`0x${bytes.toString("hex", used, (used += idBytes))}`)
  }
  return { next: (prefix: Ids.Prefix) => Effect.sync(() => Ids.format(prefix, next())) }
})

const isRegistry = (value: unknown): value is Set<string> => value instanceof Set

/** Shared by all copies of this module in the thread. */
const registry = Effect.sync((): Set<string> => {
  const key = Symbol.for("skein/instances")
  const found: unknown = Reflect.get(globalThis, key)
  if (isRegistry(found)) return found
  const made = new Set<string>()
  Reflect.set(globalThis, key, made)
  return made
})

/** What a host reports about processes. An empty text stands for anything that it does not report. */
interface Host {
  readonly bootId: Effect.Effect<string>
  readonly pidNamespace: Effect.Effect<string>
  /** Distinguishes processes whose monotonic clocks begin at different times. */
  readonly timeNamespace: Effect.Effect<string>
  /** When a running process started; null when there is no such process, "" when the time is unknown. */
  readonly startTime: (pid: number) => Effect.Effect<string | null>
}

const orEmpty = (read: () => Promise<string>): Effect.Effect<string> =>
  Effect.orElseSucceed(Effect.tryPromise(read), () => "")

/** Time zone and language are fixed because the output of `ps` depends on them. */
const print = (program: string, ...args: ReadonlyArray<string>): Effect.Effect<string> =>
  orEmpty(
    () =>
      new Promise((resolve, reject) => {
        execFile(program, args, { env: { TZ: "UTC", LC_ALL: "C" }, timeout: 5_000 }, (error, stdout) =>
          error === null ? resolve(stdout.trim()) : reject(error)
        )
      })
  )

const exists = (pid: number): Effect.Effect<boolean> =>
  Effect.sync(() => {
    try {
      process.kill(pid, 0)
      return true
    } catch (error) {
      return !(Predicate.hasProperty(error, "code") && error.code === "ESRCH")
    }
  })

const linux: Host = {
  bootId: orEmpty(async () => (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim()),
  pidNamespace: orEmpty(() => readlink("/proc/self/ns/pid")),
  timeNamespace: orEmpty(() => readlink("/proc/self/ns/time")),
  startTime: (pid) =>
    Effect.map(
      orEmpty(() => readFile(`/proc/${pid}/stat`, "utf8")),
      (text) =>
        Option.match(ProcessStat.parse(text), {
          onNone: () => "",
          onSome: (stat) => (ProcessStat.hasEnded(stat) ? null : stat.startTime)
        })
    )
}

const mac: Host = {
  bootId: print("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"),
  pidNamespace: Effect.succeed("host"),
  timeNamespace: Effect.succeed("host"),
  startTime: (pid) => print("/bin/ps", "-o", "lstart=", "-p", `${pid}`)
}

const other: Host = {
  bootId: Effect.succeed(""),
  pidNamespace: Effect.succeed(""),
  timeNamespace: Effect.succeed(""),
  startTime: () => Effect.succeed("")
}

const hostOf = (platform: NodeJS.Platform): Host => (platform === "linux" ? linux : platform === "darwin" ? mac : other)

/** An engine outside the main thread carries its thread in its name. */
const threadOf = (instance: string): string => instance.split(".")[1] ?? "0"

/** Clocks of the host, in milliseconds. */
interface Clocks {
  /** Stands still while the host sleeps. */
  readonly monotonic: () => number
  readonly wall: () => number
  /** Runs on while the host sleeps. Slower to read. */
  readonly up: () => number
}

/**
 * A clock of elapsed time that includes the host's sleep. When the wall clock jumps, either the host slept or the clock
 * was set; the uptime shows which.
 *
 * @internal
 */
export const elapsedOn = ({ monotonic, up, wall }: Clocks): (() => number) => {
  let ahead = wall() - monotonic()
  const upBefore = up() - monotonic()
  let slept = 0
  return () => {
    const now = monotonic()
    const jump = wall() - now - ahead
    if (Math.abs(jump) > 1_000) {
      ahead += jump
      slept = Math.max(slept, up() - now - upBefore)
    }
    return now + slept
  }
}

/** Whether all engines that share a storage are on one host, as with a file, or may be on many. */
export type Hosts = "one" | "many"

/**
 * Returns a host's name in at most 24 characters, because the names of some files contain an engine.
 *
 * @internal
 */
export const hostName = (name: string): string =>
  name.length <= 24 ? name : `${name.slice(0, 15)}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`

const make = Effect.fnUntraced(function* (hosts: Hosts) {
  const ids = yield* Ids.Ids
  const instances = yield* registry
  const host = hostOf(process.platform)
  const id = yield* ids.next("eng")
  const self: Lease.EngineId = {
    bootId: yield* host.bootId,
    pidNamespace: yield* host.pidNamespace,
    pid: process.pid,
    startTime: (yield* host.startTime(process.pid)) ?? "",
    instance: threadId === 0 ? id : `${id}.${threadId}`,
    host: hosts === "one" ? null : hostName(hostname())
  }
  // A clock without a name is shared with no other engine, so the others wait for a whole lease.
  const names = [...(self.host === null ? [] : [self.host]), self.bootId, yield* host.timeNamespace]
  const clock = self.bootId === "" ? "" : names.join(" ")
  const sign = Effect.sync((): Lease.Sign => ({ clock, at: Number(process.hrtime.bigint() / 1_000_000n) }))
  const elapsed = elapsedOn({
    monotonic: () => performance.now(),
    wall: Date.now,
    up: () => uptime() * 1_000
  })
  yield* Effect.acquireRelease(
    Effect.sync(() => instances.add(self.instance)),
    () => Effect.sync(() => instances.delete(self.instance))
  )

  /**
   * The start time of the process that has a pid now; null when there is no such process, "" when the time is unknown.
   */
  const look = (pid: number) =>
    Effect.flatMap(exists(pid), (exists) => (exists ? host.startTime(pid) : Effect.succeed(null)))

  const liveness = Effect.fn("Engines.liveness")(function* (engine: Lease.EngineId) {
    const isHere =
      engine.host === self.host && engine.bootId === self.bootId && engine.pidNamespace === self.pidNamespace
    if (!isHere) return Liveness.liveness(self, engine, { startTime: null, instanceKnown: false })
    const isSelf = engine.pid === self.pid && engine.startTime === self.startTime
    if (isSelf && threadOf(engine.instance) !== `${threadId}`) return "unknown"
    const startTime = yield* look(engine.pid)
    if (startTime === "" || engine.startTime === "" || self.startTime === "") return "unknown"
    return Liveness.liveness(self, engine, { startTime, instanceKnown: instances.has(engine.instance) })
  })

  return { self, sign, elapsed, liveness }
})

/** The engine's identity and ids, for a storage whose engines are on one host or may be on many. */
export const layerOn = (hosts: Hosts): Layer.Layer<Engines | Ids.Ids> =>
  Layer.provideMerge(Layer.scoped(Engines, make(hosts)), layerIds)

export const layer = layerOn("one")
