/** `skein token`: what it creates, shows and ends, and what the data folder contains afterwards. */
import { NodeFileSystem, NodePath } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import * as CommandLine from "../../../../src/adapters/cli/CommandLine.js"
import * as Create from "../../../../src/adapters/cli/commands/token/create.js"
import * as List from "../../../../src/adapters/cli/commands/token/list.js"
import * as Link from "../../../../src/adapters/cli/commands/token/link.js"
import * as Revoke from "../../../../src/adapters/cli/commands/token/revoke.js"
import * as Failure from "../../../../src/adapters/cli/Failure.js"
import type { Screen } from "../../../../src/adapters/cli/terminal/Screen.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as SignIn from "../../../../src/adapters/server/access/SignIn.js"
import * as TokenFolder from "../../../../src/adapters/server/access/TokenFolder.js"
import * as TokenText from "../../../../src/adapters/server/access/TokenText.js"
import * as Discovery from "../../../../src/adapters/server/Discovery.js"
import { folder } from "../../services/storage/disk.js"
import * as FakeScreen from "./terminal/FakeScreen.js"

type Program = (given: CommandLine.Values) => Effect.Effect<void, unknown, Screen>

const programs: Readonly<Record<"create" | "link" | "list" | "revoke", Program>> = {
  create: (given) => Effect.asVoid(Create.run(given)),
  link: (given) => Effect.asVoid(Link.run(given)),
  list: (given) => Effect.asVoid(List.run(given)),
  revoke: (given) => Effect.asVoid(Revoke.run(given))
}

const commandIn =
  (data: string) =>
  (name: keyof typeof programs, ...args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const request = CommandLine.read(["token", name, ...args, "--data", data])
      if (request._tag !== "Call") return yield* Effect.dieMessage(JSON.stringify(request))
      const screen = yield* FakeScreen.make()
      const exit = yield* Effect.exit(Effect.provide(programs[name](request.values), screen.layer))
      const failure = Exit.isFailure(exit) ? Failure.report(exit.cause) : null
      return { code: Failure.exitCode(exit), failure, stdout: yield* screen.output, stderr: yield* screen.errors }
    })

it.scopedLive("what is among the tokens and is none is named, and hides no token", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const token = commandIn(data)
    yield* token("create", "ci", "--scope", "read")
    const at = (name: string) => join(data, "server", "tokens", name)
    writeFileSync(at("garbage.json"), "{")
    writeFileSync(at("a\u001b[2J.txt"), "")
    writeFileSync(at(".draft.tmp"), "")
    copyFileSync(at("ci.json"), at("copy.json"))
    mkdirSync(at("dir.json"))
    const { code, stderr, stdout } = yield* token("list", "--json")
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\{"name":"ci",[^\n]+\}\n$/)
    expect(stderr).not.toContain("\u001b")
    expect(stderr.trimEnd().split("\n").slice(1)).toEqual([
      `skein: ${at("copy.json")} is no token, and lets nobody in`,
      `skein: ${at("dir.json")} cannot be read, and lets nobody in: it is a folder, EISDIR`,
      `skein: ${at("garbage.json")} is no token, and lets nobody in`
    ])
    expect((yield* token("list")).stdout).toMatch(/^NAME.*\nci /)
  }).pipe(Effect.provide([NodeFileSystem.layer, NodePath.layer]))
)

it.scopedLive("tokens are made, shown without their secrets, and ended", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const token = commandIn(data)
    expect((yield* token("list")).stdout).toBe("No tokens; create one with skein token create NAME --scope read\n")
    expect(existsSync(data)).toBe(false)
    const ci = yield* token("create", "ci", "--scope", "write", "--expires", "30d")
    expect(ci.stdout).toMatch(/^skein\.ci\.[\w-]{43}\n$/)
    expect(ci.stderr).toContain("it will not be shown again")
    const made = yield* token(
      "create",
      "board-2",
      "--scope",
      "read",
      "--owner",
      "ada\u001b[2J",
      "--expires",
      "2099-01-31"
    )
    const again = yield* token("create", "ci", "--scope", "read")
    expect([again.code, again.failure]).toEqual([1, "skein: There is a token ci already"])
    const lines = (yield* token("list", "--json")).stdout
    expect(
      lines.split("\n").map((line) => line.replace(/"createdAt":\d+/, "").replace(/"expiresAt":\d{13}\b/, ""))
    ).toEqual([
      `{"name":"board-2","scope":"read","owner":"ada\\u001b[2J",,,"maxRuns":null,"maxRequests":null,"maxUpload":null}`,
      `{"name":"ci","scope":"write","owner":null,,,"maxRuns":null,"maxRequests":null,"maxUpload":null}`,
      ""
    ])
    const table = (yield* token("list")).stdout
    expect(table).toMatch(/^NAME {5}SCOPE {2}OWNER/)
    expect(table).not.toContain("\u001b")
    const all =
      lines +
      table +
      readdirSync(join(data, "server", "tokens"))
        .map((file) => readFileSync(join(data, "server", "tokens", file), "utf8"))
        .join()
    for (const { stdout } of [ci, made]) expect(all).not.toContain(stdout.trim().split(".")[2])
    expect((yield* token("revoke", "ci")).stdout).toBe("Revoked ci\n")
    expect((yield* token("revoke", "ci")).failure).toBe("skein: No token is called ci")
    expect((yield* token("list", "--json")).stdout).toContain("board-2")
  }).pipe(Effect.provide([NodeFileSystem.layer, NodePath.layer]))
)

it.scopedLive("a link signs in with the token that it names, once, where the server says that its page is", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const server = join(data, "server")
    const token = commandIn(data)
    const missing = yield* token("link")
    expect([missing.code, missing.failure]).toEqual([
      1,
      "skein: no server is running for this place; start one with skein serve"
    ])
    yield* TokenFolder.local(server)
    const about = { version: "unknown", url: null, socket: "/run/s", root: "/", model: "a/b" }
    const identity = yield* Layer.build(Layer.fresh(Identity.layer))
    const publish = (page: string | null) =>
      Effect.provide(Discovery.publish(join(server, "running"), { ...about, page }), identity)
    yield* publish(null)
    expect((yield* token("link")).failure).toContain("--names")
    yield* publish("https://skein.example.org/base")
    yield* token("create", "anna", "--scope", "read")
    const signIn = SignIn.make(server)
    for (const name of ["anna", "local"]) {
      const { stderr, stdout } = yield* token("link", ...(name === "local" ? [] : [name]))
      const [, code = ""] = /^https:\/\/skein\.example\.org\/base\/#code=([\w-]{43})\n$/.exec(stdout) ?? []
      expect(stderr).toContain(`as ${name}`)
      const cookie = (yield* signIn.exchange(code, "name")) ?? ""
      expect(yield* signIn.find(cookie)).toMatchObject({ name })
      expect(yield* signIn.exchange(code, "name")).toBeNull()
    }
    expect((yield* token("link", "nobody")).failure).toBe("skein: No token is called nobody")
  })
)

it.scopedLive("what would be no token is refused before anything is made", () =>
  Effect.gen(function* () {
    const data = join(yield* folder, "data")
    const token = commandIn(data)
    const wrong: ReadonlyArray<ReadonlyArray<string>> = [
      ["../up", "--scope", "read"],
      ["UP", "--scope", "read"],
      ["a".repeat(64), "--scope", "read"],
      ["local", "--scope", "read"],
      ["a"],
      ["a", "--scope", "all"],
      ["a", "--scope", "read", "--expires", "0d"],
      ["a", "--scope", "read", "--expires", "2020-01-31"],
      ["a", "--scope", "read", "--expires", "soon"],
      ["a", "--scope", "read", "--expires", "2099-13-01"]
    ]
    for (const args of wrong) expect([args, (yield* token("create", ...args)).code]).toEqual([args, 2])
    expect(existsSync(data)).toBe(false)
  }).pipe(Effect.provide([NodeFileSystem.layer, NodePath.layer]))
)

it.scopedLive("of many who make one token or the local one at once, all have the same, and none is lost", () =>
  Effect.gen(function* () {
    const server = join(yield* folder, "server")
    const name = TokenText.Name.make("one")
    const wish = {
      name,
      scope: "read",
      owner: null,
      expiresAt: null,
      maxRuns: null,
      maxRequests: null,
      maxUpload: null
    } as const
    const many = Array.from({ length: 20 })
    const locals = yield* Effect.forEach(many, () => TokenFolder.local(server), { concurrency: "unbounded" })
    expect(new Set(locals).size).toBe(1)
    const made = yield* Effect.forEach(many, () => Effect.either(TokenFolder.create(server, wish)), {
      concurrency: "unbounded"
    })
    expect(made.filter(({ _tag }) => _tag === "Right")).toHaveLength(1)
    expect(readdirSync(server, { recursive: true, encoding: "utf8" }).sort()).toEqual([
      "token",
      "tokens",
      "tokens/one.json"
    ])
  })
)

it.scopedLive(
  "a local token that others could have read is replaced, and one that is none, and its folder closed",
  () =>
    Effect.gen(function* () {
      const server = join(yield* folder, "server")
      const path = join(server, "token")
      const first = yield* TokenFolder.local(server)
      chmodSync(server, 0o755)
      chmodSync(path, 0o644)
      const second = yield* TokenFolder.local(server)
      expect(second).not.toBe(first)
      expect([server, path].map((at) => (statSync(at).mode & 0o777).toString(8))).toEqual(["700", "600"])
      writeFileSync(path, "half a tok")
      const third = yield* TokenFolder.local(server)
      expect(TokenText.nameIn(third)).toBe("local")
      expect(readFileSync(path, "utf8")).toBe(third)
      yield* TokenFolder.revoke(server, TokenText.local)
      expect(yield* TokenFolder.local(server)).not.toBe(third)
    })
)
