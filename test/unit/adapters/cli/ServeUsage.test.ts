import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { expect, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { chmodSync, existsSync, readdirSync } from "node:fs"
import { createServer, type Server } from "node:net"
import * as Failure from "../../../../src/adapters/cli/Failure.js"
import * as ServeCommand from "../../../../src/adapters/cli/ServeCommand.js"
import * as Program from "./Program.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

const usual: ServeCommand.Input = {
  port: "0",
  host: null,
  knows: false,
  socket: null,
  drain: null,
  open: false,
  root: null,
  model: "script/answers.json",
  names: null,
  origins: null,
  basePath: null,
  behindProxy: false,
  address: null,
  json: false,
  place: { value: () => null }
}

/** A home, and how a server in it is refused. */
const setup = Effect.gen(function* () {
  const home = yield* Program.make()
  const screen = yield* FakeScreen.make()
  const place = { value: (name: string) => (name === "data" ? home.data : null) }
  const refusal = (input: Partial<ServeCommand.Input>) =>
    ServeCommand.run({ ...usual, place, ...input }).pipe(
      Effect.flip,
      Effect.provide([screen.layer, NodeFileSystem.layer, NodePath.layer])
    )
  return { home, screen, refusal }
})

it.scoped("wrong usage is refused before there is a folder, a port or an engine", () =>
  Effect.gen(function* () {
    const { home, refusal, screen } = yield* setup
    expect(yield* refusal({ host: "0.0.0.0" })).toMatchObject({ detail: expect.stringContaining("--i-know") })
    expect(yield* refusal({ host: "127.0.0.1.example.com" })).toMatchObject({ _tag: "WrongUsage" })
    expect(yield* refusal({ knows: true })).toMatchObject({ _tag: "WrongUsage" })
    for (const port of ["65536", "-1", "http", "4747.0"]) {
      expect(yield* refusal({ port })).toMatchObject({ field: "--port" })
    }
    for (const drain of ["-1", "86401", "1.5", "soon", ""]) {
      expect(yield* refusal({ drain })).toMatchObject({ field: "--drain" })
    }
    const alone = { port: "none", socket: home.at("run/s.sock") }
    for (const without of [{ port: "none" }, { ...alone, open: true }, { ...alone, host: "127.0.0.1" }]) {
      expect(yield* refusal(without)).toMatchObject({ _tag: "WrongUsage", detail: expect.stringContaining("none") })
    }
    for (const names of ["https://a.example", "a.example,", "*.example", "a b"]) {
      expect(yield* refusal({ names })).toMatchObject({ field: "--names" })
    }
    for (const origins of ["a.example", "https://a.example/", "*", "null"]) {
      expect(yield* refusal({ origins })).toMatchObject({ field: "--origins" })
    }
    for (const basePath of ["skein", "/", "/skein/", "//skein", "/..", "/a?b"]) {
      expect(yield* refusal({ basePath })).toMatchObject({ field: "--base-path" })
    }
    expect(yield* refusal({ address: "here:4000" })).toMatchObject({ _tag: "WrongUsage" })
    const database = { value: (name: string) => (name === "database" ? "postgres://nobody@127.0.0.1:1/none" : null) }
    expect(yield* refusal({ place: database, address: "here" })).toMatchObject({ field: "--address" })
    expect(yield* refusal({ root: home.at("nowhere") })).toMatchObject({ field: "--root" })
    expect(yield* refusal({ model: "gpt" })).toMatchObject({ field: "--model" })
    expect(yield* refusal({ model: "nobody/m" })).toMatchObject({ _tag: "ModelUnavailable" })
    expect(existsSync(home.data)).toBe(false)
    expect(yield* screen.output).toBe("")
  })
)

it.scopedLive("a start that fails leaves no file and no folder behind", () =>
  Effect.gen(function* () {
    const { home, refusal } = yield* setup
    yield* home.write("answers.json", "[]")
    yield* home.write("other/skein.db", "no database at all, but a text of somebody else")
    chmodSync(home.at("other"), 0o700)
    const before = readdirSync(home.at(""), { recursive: true })
    const taken = yield* Effect.acquireRelease(
      Effect.async<Server>((resume) => {
        const server: Server = createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    )
    const address = taken.address()
    const port = typeof address === "object" && address !== null ? `${address.port}` : ""
    const model = `script/${home.at("answers.json")}`
    const at = (name: string, value: string) => ({ value: (wanted: string) => (wanted === name ? value : null) })
    const failed = { _tag: "ListenFailed" }
    expect(yield* refusal({ model, port })).toMatchObject(failed)
    expect(yield* refusal({ model, socket: home.at("answers.json") })).toMatchObject(failed)
    const socket = home.at("run/deep/skein.sock")
    expect(yield* refusal({ model, socket, place: at("data", home.at("other")) })).toMatchObject({
      _tag: "StorageUnusable"
    })
    expect(readdirSync(home.at(""), { recursive: true })).toEqual(before)
  })
)

it.scoped("a place where it cannot listen is refused with what to do about it", () =>
  Effect.gen(function* () {
    const { home, refusal } = yield* setup
    yield* home.write("answers.json", "[]")
    yield* home.write("private/file", "")
    yield* home.write("open/file", "")
    chmodSync(home.at("private"), 0o700)
    chmodSync(home.at("open"), 0o755)
    const model = `script/${home.at("answers.json")}`
    const said = (socket: string) =>
      Effect.map(refusal({ model, socket }), (error) => Failure.report(Cause.fail(error)))
    const [file, open] = [home.at("private/file"), home.at("open/s.sock")]
    expect(yield* said(file)).toBe(
      `skein: cannot listen at ${file}: a file that is not a socket is there; choose another path`
    )
    expect(yield* said(open)).toBe(
      `skein: cannot listen at ${open}: its folder must be yours alone, with mode 0700 (it has 755)`
    )
    const long = home.at(`private/${"s".repeat(120)}`)
    expect(yield* said(long)).toMatch(/: the name is too long, ENAMETOOLONG$/)
  })
)
