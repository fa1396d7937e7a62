/** `skein serve` as a process: where it listens, what clients may name, who uses it, and how it ends. */
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Schema } from "effect"
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import type { RunningProcess } from "../../../support/programs/Process.js"
import { listen } from "../http/listening.js"
import { requestOf, type Wish } from "../http/server.js"
import * as FakeProvider from "../providers/FakeProvider.js"
import * as Program from "./Program.js"

const Started = Schema.parseJson(
  Schema.Struct({ url: Schema.NullOr(Schema.String), socket: Schema.NullOr(Schema.String), pid: Schema.Int })
)

const started = (server: RunningProcess) =>
  Effect.flatMap(Effect.flatten(server.line), Schema.decode(Started)).pipe(Effect.orDie)

const Named = Schema.Struct({ id: Schema.String })
const idOf = Schema.decodeUnknownSync(Named)

/** A home with a provider, and clients for its server. */
const setup = Effect.gen(function* () {
  const home = yield* Program.make({ "a.txt": "alpha" })
  const fake = yield* FakeProvider.make
  const env = yield* Program.configure(home, fake.url)
  const socket = home.at("run/skein.sock")
  const folder = home.at("data/server/running")
  /** The files by which servers are found. */
  const files = () => readdirSync(folder).map((name) => join(folder, name))
  const headers = () => ({ authorization: `Bearer ${readFileSync(home.at("data/server/token"), "utf8").trim()}` })
  const client = (url: string | null) => {
    const port = Number(new URL(url ?? "").port)
    const request = requestOf(port)
    return {
      port,
      ask: (method: string, path: string, wish: Wish = {}) =>
        Effect.orDie(request(method, path, { ...wish, headers: { ...headers(), ...wish.headers } })),
      anonymous: request,
      listen: (path: string) => Effect.orDie(listen(port, path, headers()))
    }
  }
  const serve = (port: number | "none", ...args: ReadonlyArray<string>) =>
    home.start(["serve", "--port", `${port}`, "--socket", socket, "--json", ...args], env)
  return { ...home, env, fake, socket, files, client, serve }
})

/** An answer whose end waits for an effect. */
const waiting = (step: Parameters<typeof FakeProvider.chat>[0], until: Effect.Effect<void>) => {
  const answer = FakeProvider.chat(step)
  return { ...answer, chunks: [...answer.chunks.slice(0, -1), until, ...answer.chunks.slice(-1)] }
}

const json = (value: unknown): Wish => ({ body: JSON.stringify(value) })

it.scopedLive("terminals and pages see one live state, and the first SIGTERM lets it come to an end", () =>
  Effect.gen(function* () {
    const { at, client, env, fake, files, run, serve, socket, start, workdir } = yield* setup
    const server = yield* serve(0)
    const { pid, socket: told, url } = yield* started(server)
    expect({ pid, told }).toEqual({ pid: server.pid, told: socket })
    const { anonymous, ask, listen, port } = client(url)

    expect((yield* anonymous("GET", "/v1/sessions")).status).toBe(401)
    expect((yield* anonymous("GET", "/ready")).status).toBe(200)
    const [file = ""] = files()
    expect([socket, file, at("data/server/token")].map((path) => statSync(path).mode & 0o077)).toEqual([0o055, 0, 0])
    expect(statSync(at("run")).mode & 0o777).toBe(0o700)
    expect(readFileSync(file, "utf8")).not.toContain(readFileSync(at("data/server/token"), "utf8").trim())

    const taken = yield* Effect.all(
      [run(["serve", "--port", `${port}`], env), run(["serve", "--port", "0", "--socket", socket], env)],
      { concurrency: 2 }
    )
    expect(taken.map(({ code, stderr }) => ({ code, isOneLine: Program.isOneLine(stderr) }))).toEqual([
      { code: 1, isOneLine: true },
      { code: 1, isOneLine: true }
    ])
    expect(taken[0].stderr).toContain(`127.0.0.1:${port}`)

    mkdirSync(at("work/inside"))
    symlinkSync(at("data"), at("work/link"))
    const created = yield* ask("POST", "/v1/sessions", json({}))
    expect(created.json()).toMatchObject({ workdir })
    const inside = yield* ask("POST", "/v1/sessions", json({ workdir: at("work/inside") }))
    expect(inside.json()).toMatchObject({ workdir: at("work/inside") })
    for (const outside of [at("data"), at("work/link"), at("work/inside/../.."), at("work2"), "/"]) {
      const refused = yield* ask("POST", "/v1/sessions", json({ workdir: outside }))
      expect([refused.status, refused.json()]).toMatchObject([422, { _tag: "InvalidInput", field: "workdir" }])
    }
    const { id: moved } = idOf(inside.json())
    const refused = yield* ask("PATCH", `/v1/sessions/${moved}`, json({ workdir: at("data") }))
    expect([refused.status, refused.text.includes(at("data"))]).toEqual([422, false])

    const document = yield* ask("GET", "/openapi.json")
    expect(document.json()).toMatchObject({ openapi: "3.1.0" })
    const reference = yield* ask("GET", "/reference")
    expect(reference.headers).toMatchObject({ "content-type": expect.stringMatching(/^text\/html/) })
    expect(reference.headers["content-security-policy"]).toContain("default-src 'none'")
    expect(reference.text).toContain("POST /v1/sessions/{sessionId}/messages")
    expect(reference.text).not.toMatch(/<script|style=|https?:/)

    // This terminal knows no provider, so only the server can run it.
    const gate = yield* Deferred.make<void>()
    yield* fake.answer(waiting({ text: ["First ", "words. "] }, Deferred.await(gate)))
    const hello = yield* start(["run", "hello", "--json"])
    const [, appended] = yield* Program.readUntil(hello, "text.delta")
    const sessionId = appended?.sessionId ?? ""
    const page = yield* listen(`/v1/sessions/${sessionId}/events?deltas=true`)
    const watch = yield* start(["watch", sessionId.slice(0, 12), "--json"])
    yield* Program.readUntil(watch, "text.delta")

    yield* server.signal("SIGTERM")
    yield* Effect.flatten(server.errorLine)
    const late = yield* ask("POST", `/v1/sessions/${moved}/messages`, json({ text: "too late" }))
    expect([late.status, late.headers["retry-after"]]).toEqual([503, "1"])
    const unready = yield* anonymous("GET", "/ready")
    expect([unready.status, unready.headers["retry-after"], unready.json()]).toMatchObject([
      503,
      "1",
      { _tag: "Stopping" }
    ])
    expect((yield* ask("GET", "/health")).status).toBe(200)
    expect(files()).toEqual([])
    yield* Deferred.succeed(gate, undefined)
    const frames = yield* page.until(() => false)
    const types = frames.map(({ event }) => event)
    expect(types.slice(types.indexOf("run.ended"))).toEqual(["run.ended", "closing"])
    expect(yield* hello.ended).toMatchObject({ code: 0, stdout: expect.stringContaining("First words. ") })
    expect(yield* watch.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('"run.ended"') })
    expect(yield* server.ended).toMatchObject({ code: 0, signal: null })
    expect([existsSync(socket), files()]).toEqual([false, []])
  })
)

it.scopedLive(
  "after kill -9 the next server takes its place, and the run and its terminal go on; a second signal ends it at once",
  () =>
    Effect.gen(function* () {
      const { client, env, fake, files, run, serve, start } = yield* setup
      const first = yield* serve(0)
      yield* started(first)
      yield* fake.answer(
        FakeProvider.chat({ calls: [{ name: "read", input: { path: "a.txt" } }] }),
        FakeProvider.chat({ text: "It says ", hang: true }),
        FakeProvider.chat({ text: "It says alpha." })
      )
      const terminal = yield* start(["run", "what does it say?", "--json"])
      yield* Program.readUntil(terminal, "text.delta")
      yield* first.signal("SIGKILL")
      yield* first.ended
      const left = files()
      expect(left).toHaveLength(1)
      // A server whose process is dead is not contacted.
      expect(yield* run(["watch", "ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"])).toMatchObject({ code: 1 })

      // It takes the place of the first one, but listens elsewhere.
      const second = yield* start(["serve", "--port", "0", "--json"], env)
      const next = (yield* started(second)).url
      expect(files()).toHaveLength(1)
      expect(files()).not.toEqual(left)
      const { code, stderr, stdout } = yield* terminal.ended
      expect({ code, stderr }).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/^skein: the server is gone; .* skein run --session ses_\w{26} --resume \(/)
      })
      expect(stdout).toContain('"answer":"It says alpha."')
      expect(stdout.match(/"call.finished"/g)).toHaveLength(1)
      expect(yield* fake.received).toHaveLength(3)

      const { ask } = client(next)
      const { id } = idOf((yield* ask("POST", "/v1/sessions", json({}))).json())
      yield* fake.answer(FakeProvider.chat({ text: "no end", hang: true }))
      expect((yield* ask("POST", `/v1/sessions/${id}/messages`, json({ text: "go on" }))).status).toBe(202)
      yield* Effect.repeatN(fake.take, 3)
      yield* second.signal("SIGTERM")
      yield* Effect.flatten(second.errorLine)
      yield* second.signal("SIGINT")
      expect(yield* second.ended).toMatchObject({ code: null, signal: "SIGINT" })
    })
)

it.scopedLive(
  "at a socket alone it has no port, terminals find it all the same, and how long it drains is a setting",
  () =>
    Effect.gen(function* () {
      const { env, fake, files, run, serve, socket, start } = yield* setup
      const server = yield* serve("none", "--drain", "0")
      expect(yield* started(server)).toMatchObject({ url: null, socket, pid: server.pid })
      const tcp = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFileSync(path, "utf8")).join()
      const inodes = readdirSync(`/proc/${server.pid}/fd`).flatMap((fd) => {
        const [, inode = ""] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${server.pid}/fd/${fd}`)) ?? []
        return inode === "" ? [] : [inode]
      })
      const listening = tcp.split("\n").filter((line) => line.split(/\s+/)[4] === "0A")
      expect(listening.filter((line) => inodes.includes(line.trim().split(/\s+/)[9] ?? ""))).toEqual([])
      // These terminals know no provider, so only the server can run them.
      yield* fake.answer(FakeProvider.chat({ text: "by the socket" }))
      const said = yield* run(["run", "hello"])
      expect([said.code, said.stdout]).toMatchObject([0, expect.stringContaining("by the socket")])
      yield* fake.answer(FakeProvider.chat({ text: "no end", hang: true }))
      const hanging = yield* start(["run", "go on", "--json"])
      const [, appended] = yield* Program.readUntil(hanging, "text.delta")
      const watch = yield* start(["watch", appended?.sessionId ?? "", "--json"])
      yield* Program.readUntil(watch, "text.delta")
      expect(yield* run(["serve", "--port", "none", "--socket", socket], env)).toMatchObject({ code: 1 })
      yield* server.signal("SIGTERM")
      expect(yield* Effect.flatten(server.errorLine)).toContain("runs have 0 s to end")
      expect(yield* server.ended).toMatchObject({ code: 0, signal: null })
      expect([existsSync(socket), files()]).toEqual([false, []])
    })
)

it.scopedLive(
  "of two servers on one data folder, terminals use the newest that works for their folder, as long as one runs",
  () =>
    Effect.gen(function* () {
      const { at, env, fake, run, start } = yield* setup
      for (const name of ["a", "b"]) mkdirSync(at(`work/${name}`))
      const older = yield* start(["serve", "--port", "0", "--json", "--root", "a"], env)
      yield* started(older)
      const newer = yield* start(["serve", "--port", "0", "--json", "--root", "b"], env)
      yield* started(newer)
      // These terminals know no provider, so only a server can run them.
      const inFolder = (name: string) =>
        Effect.map(
          Effect.zipRight(fake.answer(FakeProvider.chat({ text: "done" })), run(["run", "hello", "--workdir", name])),
          ({ code, stdout }) => ({ code, stdout })
        )
      const answered = { code: 0, stdout: expect.stringContaining("done") }
      expect([yield* inFolder("a"), yield* inFolder("b")]).toEqual([answered, answered])
      yield* newer.signal("SIGTERM")
      yield* newer.ended
      expect(yield* inFolder("a")).toEqual(answered)
      yield* older.signal("SIGTERM")
      yield* older.ended
      expect((yield* run(["run", "hello", "--workdir", "a"])).code).toBe(2)
    })
)
