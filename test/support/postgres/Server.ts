/**
 * PostgreSQL servers for tests, on free loopback ports, each with its own data. The first takes a second or two; its
 * empty data is then copied for the others.
 *
 * - A server ends with its scope, and with the process, however that ends: a small process that waits for the end of
 *   this one stops the remaining servers and removes the folder. (Not on Windows.)
 * - A stop is `-m immediate`, as after a crash: what was committed is still there afterwards. Nothing is synced to the
 *   disk unless a test asks for it, because no test cuts the machine's power.
 * - Text is UTF-8, ordered by its bytes (the C collation).
 */
import { Deferred, Effect, Ref, Schedule } from "effect"
import type { Scope } from "effect"
import { execFileSync, spawn, type ChildProcess } from "node:child_process"
import { randomBytes } from "node:crypto"
import { rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as Client from "./Client.js"
import { PostgresFailed } from "./PostgresFailed.js"
import * as Programs from "./Programs.js"

export interface Server {
  /** The URL for its first user, who may do everything, and the database `postgres`. */
  readonly url: string
  /** Stops it as a crash would, and starts it again on the same port. Returns once it accepts connections. */
  readonly restart: Effect.Effect<void, PostgresFailed>
  /** Stops all of its processes by a signal: connections stay open, and nothing answers. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Kills all of its processes, for good. */
  readonly kill: Effect.Effect<void>
  /** Shuts it down as for maintenance, for good: its connections are ended, and its standby has everything. */
  readonly shutDown: Effect.Effect<void>
  /**
   * Starts a standby, which also ends with the scope. Once this returns, each commit waits until the standby has it
   * too. Only for a server that has just been started: its log must still reach back to the beginning.
   */
  readonly standby: Effect.Effect<Server, PostgresFailed, Scope.Scope>
}

interface Servers {
  /** Starts a server with empty data. It ends with the scope. */
  readonly start: Effect.Effect<Server, PostgresFailed, Scope.Scope>
}

const undurable = { fsync: "off", full_page_writes: "off" }

const settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  shared_buffers: "64MB",
  log_timezone: "UTC",
  timezone: "UTC"
}

/** A port on which nothing listens. */
export const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/**
 * Ends the servers in the folder once stdin has ended, and removes the folder. A stopped server is continued so that it
 * can end.
 */
const watcher = `cat >/dev/null
for file in "$1"/server-*/postmaster.pid; do
  pid=$(head -n 1 "$file") || continue
  kill -QUIT "$pid"; kill -CONT "$pid"
  ps -A -o pid= -o ppid= | while read -r child parent; do [ "$parent" != "$pid" ] || kill -CONT "$child"; done
  left=100
  while [ -e "$file" ] && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
done 2>/dev/null
rm -rf "$1"`

const watch = (folder: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn("sh", ["-c", watcher, "sh", folder], { stdio: ["pipe", "ignore", "ignore"], detached: true })
      child.unref()
      return child
    }),
    (child) => Effect.sync(() => child.stdin.end())
  )

/** Starts the program. Returns once it accepts connections; `ended` completes with the process. */
const launch = (programs: Programs.Programs, data: string, given: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const ready = yield* Deferred.make<void, PostgresFailed>()
    const ended = yield* Deferred.make<void>()
    const all = { ...settings, ...given }
    const child = programs.start([
      "-D",
      data,
      ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    ])
    let said = ""
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-16_384)
      if (/system is ready to accept (?:read-only )?connections/.test(said)) Deferred.unsafeDone(ready, Effect.void)
    })
    const end = () => {
      Deferred.unsafeDone(ready, new PostgresFailed({ what: "The server ended", said: Programs.lastLines(said) }))
      Deferred.unsafeDone(ended, Effect.void)
    }
    child.on("error", (error) => {
      said += String(error)
      end()
    })
    child.on("exit", end)
    yield* Deferred.await(ready)
    return { child, ended: Deferred.await(ended) }
  })

const signal = (pid: number | undefined, name: NodeJS.Signals) => {
  try {
    if (pid !== undefined) process.kill(pid, name)
  } catch {
    // It has ended in the meantime.
  }
}

/** The server's processes besides the first. */
const childrenOf = (pid: number | undefined): ReadonlyArray<number> =>
  execFileSync("ps", ["-A", "-o", "pid=", "-o", "ppid="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child = 0, parent]) => (parent === pid ? [child] : []))

const signalAll = (first: ChildProcess, name: NodeJS.Signals) => {
  // The first process before the others: a server that is stopped creates no new ones.
  signal(first.pid, name)
  for (const pid of childrenOf(first.pid)) signal(pid, name)
}

type Launched = Effect.Effect.Success<ReturnType<typeof launch>>

const stop = ({ child, ended }: Launched) =>
  Effect.zipRight(
    Effect.sync(() => {
      signal(child.pid, "SIGQUIT")
      signalAll(child, "SIGCONT")
    }),
    ended
  )

/** Makes each commit wait for a standby, and waits until there is one. */
const followed = (url: string) =>
  Effect.gen(function* () {
    yield* Client.once(url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    yield* Client.once(url, "SELECT pg_reload_conf()")
    yield* Client.once(url, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").pipe(
      Effect.repeat({ until: (rows) => rows.length > 0, schedule: Schedule.spaced("20 millis") })
    )
  })

export const make = Effect.fnUntraced(function* ({ isDurable = false } = {}) {
  const programs = yield* Programs.make
  const { folder } = programs
  if (process.platform !== "win32") yield* watch(folder)
  const password = randomBytes(16).toString("hex")
  const empty = join(folder, "empty")
  const secret = join(folder, "password")
  writeFileSync(secret, password)
  const numbers = yield* Ref.make(0)

  yield* programs.run("initdb", [
    `--pgdata=${empty}`,
    `--pwfile=${secret}`,
    "--username=postgres",
    "--auth=scram-sha-256",
    // Each test connects several times, and the work that makes a password hard to guess would cost more than all the
    // rest.
    "--set=scram_iterations=1",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions"
  ])

  const startWith = (more: Readonly<Record<string, string>>): Effect.Effect<Server, PostgresFailed, Scope.Scope> =>
    Effect.gen(function* () {
      const data = join(folder, `server-${yield* Ref.getAndUpdate(numbers, (number) => number + 1)}`)
      yield* programs.run("cp", ["-R", empty, data])
      if ("primary_conninfo" in more) writeFileSync(join(data, "standby.signal"), "")
      const { given, port, running } = yield* Effect.acquireRelease(
        Effect.gen(function* () {
          const port = yield* freePort
          const given = { ...(isDurable ? {} : undurable), ...more, port: `${port}` }
          return { port, given, running: yield* Ref.make(yield* launch(programs, data, given)) }
          // Another program may have taken the port in the meantime.
        }).pipe(Effect.retry({ times: 2 })),
        ({ running }) =>
          Effect.zipRight(
            Effect.flatMap(Ref.get(running), stop),
            // The server's other processes may write for a moment after its end.
            Effect.sync(() => rmSync(data, { recursive: true, force: true, maxRetries: 10 }))
          )
      )
      const ended = Effect.flatMap(Ref.get(running), ({ ended }) => ended)
      const send = (name: NodeJS.Signals) => Effect.map(Ref.get(running), ({ child }) => signalAll(child, name))
      const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
      return {
        url,
        restart: Ref.get(running).pipe(
          Effect.flatMap(stop),
          Effect.zipRight(launch(programs, data, given)),
          Effect.flatMap((launched) => Ref.set(running, launched)),
          Effect.uninterruptible
        ),
        freeze: send("SIGSTOP"),
        thaw: send("SIGCONT"),
        kill: Effect.zipRight(send("SIGKILL"), ended),
        shutDown: Effect.zipRight(
          Effect.map(Ref.get(running), ({ child }) => signal(child.pid, "SIGINT")),
          ended
        ),
        standby: Effect.zipLeft(
          startWith({ primary_conninfo: `host=127.0.0.1 port=${port} user=postgres password=${password}` }),
          followed(url)
        )
      }
    })
  return { start: startWith({}) } satisfies Servers
})
