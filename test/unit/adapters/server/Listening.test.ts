/** Where a server listens: only where it was told to, and never in place of something that is not its own. */
import { expect, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"
import * as Listening from "../../../../src/adapters/server/Listening.js"
import { start } from "../../../support/programs/Process.js"
import { folder } from "../../services/storage/disk.js"

const host = "127.0.0.1"

/** Another program that listens, and how many connections it has received. */
const other = (at: Net.ListenOptions) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Net.Server; readonly port: number; readonly connections: () => number }>(
      (resume) => {
        let count = 0
        const server = Net.createServer((socket) => {
          count += 1
          socket.on("error", () => {}).destroy()
        })
        server.listen(at, () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({ server, port, connections: () => count }))
        })
      }
    ),
    ({ server }) => Effect.sync(() => server.close())
  )

it.scopedLive("a port is opened on the given host; a taken one is refused without a connection to its holder", () =>
  Effect.gen(function* () {
    const { servers, url } = yield* Listening.listen({ host, port: 0, socket: null })
    expect(servers.map(({ address }) => address)).toMatchObject([{ _tag: "TcpAddress", hostname: host }])
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    const early = yield* Effect.promise(() => fetch(url ?? ""))
    expect([early.status, yield* Effect.promise(() => early.json())]).toMatchObject([
      503,
      { _tag: "Stopping", message: expect.stringContaining("starting") }
    ])
    const { connections, port } = yield* other({ host, port: 0 })
    const taken = yield* Effect.flip(Listening.listen({ host, port, socket: null }))
    expect(taken).toMatchObject({ reason: "taken", place: `${host}:${port}` })
    expect(connections()).toBe(0)
  })
)

it.scopedLive("a socket with a path that the system would cut is refused", () =>
  Effect.gen(function* () {
    const at = yield* folder
    const longest = process.platform === "darwin" ? 103 : 107
    const path = (length: number) => join(at, "s".repeat(length - at.length - 1))
    chmodSync(at, 0o700)
    expect(yield* Effect.flip(Listening.listen({ host, port: null, socket: path(longest + 1) }))).toMatchObject({
      place: path(longest + 1),
      reason: "refused",
      code: "ENAMETOOLONG"
    })
    yield* Listening.listen({ host, port: null, socket: path(longest) })
    expect(readdirSync(at)).toEqual([path(longest).slice(at.length + 1)])
  })
)

it.scopedLive("a socket that a killed process left is taken over", () =>
  Effect.gen(function* () {
    const at = yield* folder
    const path = join(at, "run", "s.sock")
    mkdirSync(join(at, "run"), { mode: 0o700 })
    const program = `require("node:net").createServer().listen(process.argv[1], () => console.log("listening"))`
    const holder = yield* start(process.execPath, ["-e", program, path])
    yield* Effect.flatten(holder.line)
    expect(yield* Effect.flip(Listening.listen({ host, port: null, socket: path }))).toMatchObject({ reason: "taken" })
    yield* holder.signal("SIGKILL")
    yield* holder.ended
    expect(existsSync(path)).toBe(true)
    const { servers } = yield* Listening.listen({ host, port: null, socket: path })
    expect(servers.map(({ address }) => address)).toMatchObject([{ _tag: "UnixAddress", path }])
    expect(yield* Effect.flip(Listening.listen({ host, port: null, socket: path }))).toMatchObject({ reason: "taken" })
  }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
)

it.scopedLive("a socket is refused if it is in use, not a socket, or in a folder that others can open", () =>
  Effect.gen(function* () {
    const at = yield* folder
    const path = join(at, "run", "s.sock")
    const listen = (socket: string) => Effect.scoped(Listening.listen({ host, port: null, socket }))
    const found = yield* Effect.scoped(
      Effect.map(Listening.listen({ host, port: null, socket: path }), (listening) => {
        expect(existsSync(path)).toBe(true)
        return listening
      })
    )
    expect([found.url, found.socket, found.servers.length]).toEqual([null, path, 1])
    yield* other({ path })
    expect(yield* Effect.flip(listen(path))).toMatchObject({ reason: "taken" })
    const file = join(at, "run", "file")
    writeFileSync(file, "mine")
    expect(yield* Effect.flip(listen(file))).toMatchObject({ reason: "no-socket" })
    expect(existsSync(file)).toBe(true)
    mkdirSync(join(at, "open"))
    chmodSync(join(at, "open"), 0o755)
    expect(yield* Effect.flip(listen(join(at, "open", "s.sock")))).toMatchObject({ reason: "not-private", code: "755" })
  })
)
