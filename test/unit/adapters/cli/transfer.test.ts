/** `skein export` and `skein import`, as processes. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import Sqlite from "better-sqlite3"
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import * as Golden from "../../../support/golden/Golden.js"
import * as Program from "./Program.js"

const withSessions = Effect.gen(function* () {
  const home = yield* Program.make()
  yield* home.write("s.json", JSON.stringify([{ text: "hello" }, { text: "once more" }]))
  for (const text of ["the first one", "the second one"]) {
    yield* home.run(["run", text, "--model", "script/../s.json"])
  }
  const ids = Program.sessions(yield* home.run(["sessions", "list", "--json"])).map(({ id }) => id)
  return { home, newer: ids[0] ?? "", older: ids[1] ?? "" }
})

/** A session with one asset, as the lines of an export without the end line. */
const large = (id: string, megabytes: number): string => {
  const piece = Buffer.alloc(48 * 1024, 7)
  const pieces = Math.ceil((megabytes * 1024 * 1024) / piece.length)
  const digest = createHash("sha256")
  for (let count = 0; count < pieces; count++) digest.update(piece)
  const usage = {
    steps: 0,
    unknownSteps: 0,
    inputTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    cachedInputTokens: 0,
    costMicroUsd: 0
  }
  const nobody = { named: true, owner: null, workdir: null, parent: null, agent: null, model: null, metadata: {} }
  const numbers = { usage, head: 0, cursor: 1, createdAt: 1, updatedAt: 1, going: null, waiting: 0 }
  const size = pieces * piece.length
  const asset = { id: "ast_1", name: null, mediaType: "a/b", size, sha256: digest.digest("hex"), createdAt: 1 }
  const lines = [
    { type: "session", id, title: "Large", ...nobody, ...numbers },
    { type: "asset", ...asset },
    ...Array.from({ length: pieces }, () => ({ type: "content", base64: piece.toString("base64") }))
  ]
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("")
}

const largeEnd = (id: string): string =>
  `${JSON.stringify({ type: "session.end", id, runs: 0, messages: 0, questions: 0, grants: 0, keys: 0, assets: 1 })}\n`

/** Lines with an end line that matches them. */
const sealed = (text: string, sessions: number): string => {
  const sha256 = createHash("sha256").update(text).digest("hex")
  return `${text}${JSON.stringify({ type: "skein.export.end", sessions, lines: text.split("\n").length - 1, sha256 })}\n`
}

describe("skein export and skein import", () => {
  it.scopedLive("move sessions to another data folder, through a file or a pipe", () =>
    Effect.gen(function* () {
      const { home, newer, older } = yield* withSessions
      const file = home.at("out.jsonl")
      const exported = yield* home.run(["export", older, newer.slice(0, 12), "--out", "../out.jsonl"])
      expect(exported).toMatchObject({ code: 0, stderr: "" })
      const size = (statSync(file).size / 1000).toFixed(1)
      expect(exported.stdout).toBe(`Exported 2 sessions and 0 files to ${file} (${size} KB)\n`)
      expect(statSync(file).mode & 0o777).toBe(0o600)

      const there = ["--data", home.at("fresh")]
      expect(yield* home.run(["import", "../out.jsonl", ...there])).toMatchObject({
        code: 0,
        stdout: `Imported 2 sessions into ${home.at("fresh")}\n`,
        stderr: ""
      })
      for (const id of [older, newer]) {
        const shown = yield* home.run(["sessions", "show", id, "--json", ...there])
        expect(shown.stdout).toBe((yield* home.run(["sessions", "show", id, "--json"])).stdout)
      }
      expect(yield* home.run(["doctor", ...there])).toMatchObject({ code: 0 })
      expect(
        yield* home.run(["run", "go on", "--session", older, "--model", "script/../s.json", ...there])
      ).toMatchObject({
        code: 0
      })

      const piped = yield* home.shell(`skein export --all | skein import - --new-ids --owner me`)
      expect(piped.code).toBe(0)
      const [one, two, last] = piped.stdout.split("\n")
      expect(one).toMatch(new RegExp(`^${older} is now ses_`))
      expect(two).toMatch(new RegExp(`^${newer} is now ses_`))
      expect(last).toBe(`Imported 2 sessions into ${home.data}`)
      const owned = yield* home.run(["export", "--owner", "me", "--out", "../owned.jsonl"])
      expect(owned.stdout).toContain("Exported 2 sessions and 0 files")
    })
  )

  it.scopedLive("allow nothing that the file says is allowed, unless asked to, and say so", () =>
    Effect.gen(function* () {
      const { home, older } = yield* withSessions
      const lines = (yield* home.run(["export", older])).stdout.split(/(?<=\n)/)
      const granting = lines.slice(0, -1).join("").replace('"grants":0', '"grants":1')
      const grant = '{"type":"grant","tool":"shell"}\n'
      writeFileSync(home.at("s.jsonl"), sealed(granting.replace(/^(?={"type":"session.end")/m, grant), 1))
      const imported = (...args: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          const { stderr } = yield* home.run(["import", "../s.jsonl", ...args])
          return [stderr, (yield* home.run(["export", "--all", ...args.slice(0, 2)])).stdout.includes(grant)]
        })
      expect(yield* imported("--data", home.at("safe"))).toEqual([
        "skein: 1 allowed tool was left out, and will be asked about again; --with-grants keeps it\n",
        false
      ])
      expect(yield* imported("--data", home.at("same"), "--with-grants")).toEqual(["", true])
    })
  )

  it.scopedLive("say in one line what cannot be done, and then have done nothing", () =>
    Effect.gen(function* () {
      const { home, older } = yield* withSessions
      yield* home.run(["export", "--all", "--out", "../all.jsonl"])
      const lines = readFileSync(home.at("all.jsonl"), "utf8").split(/(?<=\n)/)
      writeFileSync(home.at("cut.jsonl"), lines.slice(0, 5).join(""))
      writeFileSync(home.at("half.jsonl"), lines.join("").slice(0, -250))
      writeFileSync(home.at("foreign.jsonl"), '{"role":"user"}\n')
      writeFileSync(home.at("changed.jsonl"), lines.join("").replace("hello", "hullo"))
      const fresh = ["--data", home.at("fresh")]
      const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, number, string]> = [
        [["export"], 2, "name the sessions to export, or add --all"],
        [["export", older, "--all"], 2, "add either --all or --owner OWNER"],
        [["export", "--owner", ""], 2, "--owner"],
        [["export", "nobody", "--out", "../x"], 1, "There is no session nobody"],
        [["export", "--all", "--out", "../all.jsonl"], 1, "already exists; an export never overwrites a file"],
        [["export", "--all", "--out", "../none/x"], 1, `${home.at("none/x")}: no such file or folder, ENOENT`],
        [["import"], 2, "missing FILE"],
        [["import", "../none"], 1, `cannot read ${home.at("none")}: no such file or folder, ENOENT`],
        [["import", "../all.jsonl"], 1, `session ${older} already exists; nothing was imported; --new-ids`],
        [["import", ".."], 1, "it is a folder, EISDIR"],
        [
          ["import", "../cut.jsonl", ...fresh],
          1,
          `cannot import ${home.at("cut.jsonl")}, line 6: the file is cut off here`
        ],
        [["import", "../half.jsonl", ...fresh], 1, `line ${lines.length - 1}: not JSON; nothing was imported`],
        [["import", "../foreign.jsonl", ...fresh], 1, "line 1: type: "],
        [["import", "../changed.jsonl", ...fresh], 1, `line ${lines.length}: sha256: the lines before it were changed`]
      ]
      for (const [args, code, says] of wrong) {
        const ended = yield* home.run(args)
        expect([args, ended.code, ended.stdout, ended.stderr, Program.isOneLine(ended.stderr)]).toEqual([
          args,
          code,
          "",
          expect.stringContaining(says),
          true
        ])
      }
      expect([existsSync(home.at("x")), existsSync(home.at("none"))]).toEqual([false, false])
      expect(existsSync(home.at("fresh"))).toBe(false)
      // A folder that was there stays, and what another process stored meanwhile.
      mkdirSync(home.at("fresh"))
      expect((yield* home.run(["import", "../cut.jsonl", ...fresh])).code).toBe(1)
      expect(readdirSync(home.at("fresh"))).toEqual([])
      yield* home.write("work/s.json", JSON.stringify([{ text: "hello" }]))
      const meanwhile = `skein run "meanwhile" --model script/s.json --data ../fresh --quiet`
      const both = yield* home.shell(
        `(head -n 1 ../all.jsonl; ${meanwhile} > ../said; echo no) | skein import - --data ../fresh`
      )
      expect([both.code, readFileSync(home.at("said"), "utf8")]).toEqual([1, "hello\n"])
      expect((yield* home.run(["sessions", "list", ...fresh])).stdout).toContain("meanwhile")
      expect(yield* home.run(["doctor", ...fresh])).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("say what was not settled, and remove the file of an export that fails", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const data = Golden.copy(join(Golden.golden("0.1.0"), "data"), home.at("golden"))
      const exported = yield* home.run(["export", "held", "--data", data, "--out", "../held.jsonl"])
      expect(exported.code).toBe(0)
      expect(exported.stderr).toMatch(
        /^skein: session held: run run_\w+ had not ended; only what was settled was exported, 1 message$/m
      )
      expect(exported.stderr).toMatch(/^skein: session held: 2 waiting messages were left out$/m)
      const connection = new Sqlite(join(data, "skein.db"))
      connection.exec("UPDATE messages SET body = 'lost' WHERE seq = 2")
      connection.close()
      const failed = yield* home.run(["export", "full", "--data", data, "--out", "../full.jsonl"])
      expect(failed).toMatchObject({ code: 1, stdout: "" })
      expect(failed.stderr).toMatch(/^skein: Session full has a damaged row at 2: .*; skein doctor shows more$/m)
      expect(existsSync(home.at("full.jsonl"))).toBe(false)
    })
  )

  it.scopedLive("leave no session and nothing to repair when an import is killed", () =>
    Effect.gen(function* () {
      const { home, newer, older } = yield* withSessions
      const exported = yield* home.run(["export", "--all"])
      const lines = exported.stdout.split(/(?<=\n)/)
      const data = home.at("fresh")
      yield* Effect.promise(async () => {
        const env = { PATH: process.env["PATH"] ?? "", HOME: home.at("."), SKEIN_DATA: data }
        const child = spawn(process.execPath, [Program.program, "import", "-"], {
          env,
          stdio: ["pipe", "ignore", "ignore"]
        })
        const ended = new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)))
        child.stdin.on("error", () => undefined)
        // More than fits into a pipe and a stream: once it has been read, the first lines are stored.
        await new Promise((resolve) => child.stdin.write(lines.slice(0, -1).join("") + large("ses_large", 4), resolve))
        child.kill("SIGKILL")
        expect(await ended).toBe("SIGKILL")
        await finished(child.stdin).catch(() => undefined)
      })
      const connection = new Sqlite(join(data, "skein.db"), { readonly: true })
      const states = connection.prepare<[], string>("SELECT state FROM session_rows").pluck().all()
      const messages = connection.prepare<[], number>("SELECT count(*) FROM messages").pluck().get()
      connection.close()
      expect([states, messages]).toEqual([["hidden", "hidden", "hidden"], 4])
      expect(readdirSync(join(data, "assets")).toSorted()).toContain("ses_large")

      const there = ["--data", data]
      expect(yield* home.run(["sessions", "list", ...there])).toMatchObject({ code: 0, stdout: "No sessions.\n" })
      const looked = yield* home.run(["doctor", ...there])
      expect(looked.code).toBe(0)
      expect(looked.stdout).toContain("note     session ses_large: its import is not finished")
      expect(looked.stdout).not.toMatch(/^damage/m)
      expect(looked.stdout).toContain(`No damage found in ${data}\n`)
      const whole = lines.slice(0, -1).join("") + large("ses_large", 4) + largeEnd("ses_large")
      writeFileSync(home.at("all.jsonl"), sealed(whole, 3))
      expect(yield* home.run(["import", "../all.jsonl", ...there])).toMatchObject({ code: 0 })
      const listed = Program.sessions(yield* home.run(["sessions", "list", "--json", ...there]))
      expect(listed.map(({ id }) => id)).toEqual(["ses_large", newer, older])
      expect(yield* home.run(["doctor", ...there])).toMatchObject({
        code: 0,
        stdout: `No damage found in ${data}\n`
      })
    })
  )
})
