/**
 * `skein export` and `skein import` between data folders and PostgreSQL, as processes: both databases accept the same
 * and return the same, byte for byte.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema, Stream } from "effect"
import { spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import { Actor, Agents, Gateway, Message, Model, Permissions, Run, Session, Tool } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"
import { eventually } from "../../../support/Eventually.js"
import * as Golden from "../../../support/golden/Golden.js"
import * as Postgres from "../../../support/postgres/Postgres.js"
import * as Program from "./Program.js"

const picture = new Uint8Array(700_000).map((_, index) => (index * 7) % 251)

const Answer = Schema.Struct({ verdict: Schema.Literal("yes", "no") })

const change = Tool.make("change", {
  description: "changes a file",
  input: { path: Schema.String },
  kind: "edit"
}).handle(
  ({ path }) =>
    Effect.succeed(
      Tool.result({
        text: "changed",
        json: { done: [true, null, "\0"] },
        files: [{ name: "made.bin", mediaType: "application/octet-stream", content: picture.slice(0, 1000) }],
        diffs: [{ path, before: "a\n", after: "b\n" }]
      })
    ),
  { title: ({ path }) => `Change ${path}` }
)

/** Adds a session to a data folder, with everything that sessions can have by now. */
const populate = (data: string) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const owner = Session.Owner.make("zoë")
    const { id } = yield* gateway.create({
      title: "All that there is \u2028 日本 🙂",
      owner,
      workdir: "/elsewhere",
      placement: "another-host",
      agent: "tester",
      metadata: { nested: [1, 1e21, { "": null }] }
    })
    yield* gateway.append(id, [Message.userText('from elsewhere \0 \u2028 "quoted" \\u0000')], "key")
    yield* gateway.saveAsset({
      sessionId: id,
      name: "p",
      mediaType: "application/octet-stream",
      content: Stream.make(picture)
    })
    yield* gateway.saveAsset({ sessionId: id, mediaType: "a/b", content: Stream.empty })
    const output = yield* Run.output(Answer)
    yield* gateway.await(yield* gateway.send({ sessionId: id, text: "go", idempotencyKey: "run", output }))
    yield* gateway.create({ parent: id, title: "A child", owner })
    const { id: gone } = yield* gateway.create({ title: "Gone" })
    yield* gateway.delete(gone)
  }).pipe(
    Actor.as(Actor.Actor.make("ann")),
    Effect.provide(
      SkeinNode.layer({ data, recoverMillis: null, placements: ["another-host"] }).pipe(
        Layer.provide(
          Agents.layer({
            name: "tester",
            models: Model.always(
              ScriptedModel.make([
                {
                  calls: [
                    { name: "change", input: { path: "a.txt" } },
                    { name: "nobody", input: "{broken" }
                  ]
                },
                { reasoning: "so", text: '{"verdict":"yes"}' }
              ])
            ),
            tools: [change],
            policy: Permissions.allowAll
          })
        ),
        Layer.provide(Logger.remove(Logger.defaultLogger))
      )
    )
  )

/**
 * An export without its first line, which contains its time, and its last line, which contains the hash of everything.
 */
const body = (path: string): ReadonlyArray<string> =>
  readFileSync(path, "utf8")
    .split(/(?<=\n)/)
    .slice(1, -1)

/** Each import moves a session's cursor on, and nothing is running in an imported session. */
const settled = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line) =>
    line.startsWith('{"type":"session",')
      ? line.replace(/"cursor":\d+/, "").replace(/"going":("\w+"|null),"waiting":\d+/, "")
      : line
  )

Postgres.describe("skein export and skein import with a database", () => {
  it.scopedLive("carry sessions there and back, and both databases give the same file", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const database = ["--database", yield* Postgres.database]
      const data = Golden.copy(join(Golden.golden("0.1.0"), "data"), home.at("golden"))
      yield* populate(data)
      const run = (...args: ReadonlyArray<string>) =>
        Effect.tap(home.run(args), ({ code, stderr }) =>
          Effect.sync(() => expect([args, code, stderr]).toEqual([args, 0, expect.anything()]))
        )
      const folder = (name: string) => ["--data", home.at(name)]
      yield* run("export", "--all", "--out", "../a.jsonl", "--data", data)
      yield* run("import", "../a.jsonl", "--with-grants", ...database)
      yield* run("export", "--all", "--out", "../b.jsonl", ...database)
      yield* run("import", "../a.jsonl", "--with-grants", ...folder("same"))
      yield* run("export", "--all", "--out", "../same.jsonl", ...folder("same"))
      expect(body(home.at("b.jsonl"))).toEqual(body(home.at("same.jsonl")))
      yield* run("import", "../b.jsonl", "--with-grants", ...folder("back"))
      yield* run("export", "--all", "--out", "../c.jsonl", ...folder("back"))
      expect(settled(body(home.at("c.jsonl")))).toEqual(settled(body(home.at("a.jsonl"))))
      expect(body(home.at("a.jsonl")).filter((line) => line.startsWith('{"type":"session",'))).toHaveLength(8)

      const listed = yield* home.run(["sessions", "list", "--json", "--recent", ...database])
      expect(listed).toEqual(yield* home.run(["sessions", "list", "--json", "--recent", ...folder("same")]))
      for (const { id } of Program.sessions(listed).slice(0, 3)) {
        const shown = yield* home.run(["sessions", "show", id, "--json", ...database])
        expect(shown).toEqual(yield* home.run(["sessions", "show", id, "--json", ...folder("back")]))
      }
      expect(yield* home.run(["doctor", ...folder("back")])).toMatchObject({ code: 0 })
      const piped = yield* home.shell(
        `skein export --all --database '${database[1] ?? ""}' | skein import - --new-ids --database '${database[1] ?? ""}'`
      )
      expect(piped.code).toBe(0)
      expect(piped.stdout.trimEnd().split("\n")).toHaveLength(9)
    })
  )

  it.scopedLive(
    "take nothing of a file that is cut, changed or foreign, and leave nothing of an import that is killed",
    () =>
      Effect.gen(function* () {
        const home = yield* Program.make()
        const url = yield* Postgres.database
        const database = ["--database", url]
        const data = Golden.copy(join(Golden.golden("0.1.0"), "data"), home.at("golden"))
        yield* home.run(["export", "full", "reused", "--out", "../all.jsonl", "--data", data])
        const lines = readFileSync(home.at("all.jsonl"), "utf8").split(/(?<=\n)/)
        const all = home.at("all.jsonl")
        const changed = lines.join("").replace("plain answer", "plane answer")
        const wrong: ReadonlyArray<readonly [string, string, string]> = [
          ["cut", lines.slice(0, -3).join(""), `line ${lines.length - 2}: the file is cut off here`],
          ["half", lines.join("").slice(0, -90), `line ${lines.length}: not JSON`],
          ["foreign", '{"role":"user"}\n', "line 1: type: "],
          ["changed", changed, `line ${lines.length}: sha256: the lines before it were changed`]
        ]
        const tables = ["session_rows", "messages", "runs", "assets", "asset_chunks"]
        const rows = Effect.forEach(tables, (table) =>
          Effect.map(Postgres.once(url, `SELECT 1 FROM skein.${table}`), ({ length }) => length)
        )
        for (const [name, text, says] of wrong) {
          writeFileSync(home.at(`${name}.jsonl`), text)
          const ended = yield* home.run(["import", `../${name}.jsonl`, ...database])
          expect(ended).toMatchObject({ code: 1, stdout: "" })
          expect(ended.stderr).toContain(`cannot import ${home.at(`${name}.jsonl`)}, ${says}`)
          expect(ended.stderr).toContain("; nothing was imported\n")
          expect(yield* rows).toEqual(tables.map(() => 0))
        }
        // More than fits into a pipe and a stream: once it has been read, the first lines are stored.
        const child = spawn(process.execPath, [Program.program, "import", "-", ...database], {
          env: { PATH: process.env["PATH"] ?? "", HOME: home.at(".") },
          stdio: ["pipe", "ignore", "ignore"]
        })
        child.stdin.on("error", () => undefined)
        const ended = new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)))
        child.stdin.write(lines.slice(0, -1).join(""))
        const messages = Effect.orElseSucceed(Postgres.once(url, "SELECT 1 FROM skein.messages"), () => [])
        yield* eventually(messages, ({ length }) => length > 0)
        child.kill("SIGKILL")
        expect(yield* Effect.promise(() => ended)).toBe("SIGKILL")
        yield* Effect.promise(() => finished(child.stdin).catch(() => undefined))
        expect(yield* home.run(["sessions", "list", ...database])).toMatchObject({ code: 0, stdout: "No sessions.\n" })
        expect(yield* home.run(["import", all, ...database])).toMatchObject({ code: 0 })
        expect(yield* home.run(["import", all, ...database])).toMatchObject({
          code: 1,
          stderr: expect.stringContaining("session full already exists; nothing was imported; --new-ids")
        })
        yield* home.run(["export", "--all", "--out", "../again.jsonl", ...database])
        expect(settled(body(home.at("again.jsonl")))).toEqual(settled(body(all)))
      })
  )
})
