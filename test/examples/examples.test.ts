/**
 * The recipes, each run as a program of its own in an empty folder. They need no API key: their models are scripted.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../support/programs/Bundle.js"
import * as Process from "../support/programs/Process.js"

/** Prepares the recipe of this name in a folder of its own; it can be started several times. */
const recipe = (name: string) =>
  Effect.gen(function* () {
    const program = yield* bundle(new URL(`${name}.ts`, import.meta.url))
    const folder = yield* Effect.acquireRelease(
      Effect.promise(async () => realpath(await mkdtemp(join(tmpdir(), "skein-example-")))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 10 }))
    )
    const start = (args: ReadonlyArray<string> = [], options: Process.Options = {}) =>
      Process.start(process.execPath, [program, ...args], { cwd: folder, ...options })
    const read = (file: string) => Effect.promise(() => readFile(join(folder, file), "utf8"))
    return { start, read }
  })

const run = (name: string) =>
  Effect.gen(function* () {
    const { code, stderr, stdout } = yield* (yield* (yield* recipe(name)).start()).ended
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    return stdout.trimEnd().split("\n")
  })

/** Reads lines until one contains this text, and returns it. */
const lineWith = (line: Process.RunningProcess["line"], text: string) =>
  Effect.iterate("", {
    while: (found) => !found.includes(text),
    body: () => Effect.flatten(line)
  })

/** A client of the server at this address, with a token. */
const client = (address: string, token: string) => {
  const headers = { authorization: `Bearer ${token}` }
  const post = (path: string, body?: unknown) =>
    Effect.promise(() =>
      fetch(`${address}${path}`, {
        method: "POST",
        headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
    )
  /** Events after the one with this id, up to one of the given type, or to the end of the stream. */
  const events = (path: string, until: string | null, after: string | null = null) =>
    Effect.promise(async () => {
      const response = await fetch(`${address}${path}`, {
        headers: { ...headers, ...(after === null ? {} : { "last-event-id": after }) }
      })
      if (response.body === null || !response.ok) return { status: response.status, ids: [], types: [] }
      let text = ""
      try {
        for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
          text += chunk
          if (until !== null && text.includes(`event: ${until}\n`) && text.endsWith("\n\n")) break
        }
      } catch (cause) {
        if (until !== null) throw cause
      }
      const fields = (name: string) =>
        [...text.matchAll(new RegExp(`^${name}: (.*)$`, "gm"))].map(([, value = ""]) => value)
      return { status: response.status, ids: fields("id"), types: fields("event") }
    })
  return { post, events }
}

const idOf = (response: Response, field: string) =>
  Effect.promise(async () => {
    const body: Record<string, unknown> = JSON.parse(await response.text())
    return String(body[field])
  })

describe("the recipes", () => {
  it.scopedLive("answers: a value is asked for twice, and not again when the program is restarted", () =>
    Effect.gen(function* () {
      const { start } = yield* recipe("answers")
      for (let time = 0; time < 2; time++) {
        const { code, stderr, stdout } = yield* (yield* start()).ended
        assert.deepStrictEqual(
          { code, stderr, stdout },
          { code: 0, stderr: "", stdout: "bug: The export is empty, urgent\nasked 2 times\n" }
        )
      }
    })
  )

  it.scopedLive(
    "server: owners see only their own sessions; when a server stops, its run and stream go on in the next",
    () =>
      Effect.gen(function* () {
        const { start } = yield* recipe("server")
        const serve = Effect.gen(function* () {
          const server = yield* start([], { env: { PATH: process.env["PATH"] ?? "", PORT: "0" } })
          const line = yield* lineWith(server.line, "Listening on")
          return { server, address: `http://127.0.0.1:${/:(\d+)"?$/.exec(line)?.[1] ?? ""}` }
        })
        const one = yield* serve
        const ada = client(one.address, "ada")
        const session = yield* idOf(yield* ada.post("/sessions"), "id")
        const [messages, events] = [`/sessions/${session}/messages`, `/sessions/${session}/events`]
        const sent = yield* ada.post(messages, { text: "Build it.", key: "k1" })
        assert.strictEqual(sent.status, 202)
        const bob = client(one.address, "bob")
        assert.strictEqual((yield* bob.post(messages, { text: "Mine?", key: "k1" })).status, 404)
        assert.strictEqual((yield* bob.events(events, null)).status, 404)
        const first = yield* ada.events(events, "call.started")
        const last = first.ids.at(-1) ?? ""
        yield* one.server.signal("SIGTERM")
        assert.strictEqual((yield* one.server.ended).code, 0)

        const two = yield* serve
        const again = client(two.address, "ada")
        const rest = yield* again.events(events, "run.ended", last)
        assert.deepStrictEqual(rest.ids[0], String(Number(last) + 1))
        assert.includeMembers(rest.types, ["run.released", "call.finished", "run.ended"])
        assert.notInclude(rest.types, "call.started")
        const repeated = yield* again.post(messages, { text: "Build it.", key: "k1" })
        assert.strictEqual(yield* idOf(repeated, "runId"), yield* idOf(sent, "runId"))
      })
  )

  it.scopedLive("worker: killed in the middle of a charge and restarted, it charges once and ends its job", () =>
    Effect.gen(function* () {
      const { read, start } = yield* recipe("worker")
      const killed = yield* start(["7"])
      yield* lineWith(killed.line, "charging")
      yield* killed.signal("SIGKILL")
      assert.strictEqual((yield* killed.ended).signal, "SIGKILL")
      const answer = "completed It is not known whether the customer was charged. Please look."
      const lastLine = Effect.gen(function* () {
        const { code, stdout } = yield* (yield* start(["7"])).ended
        return [code, stdout.trimEnd().split("\n").at(-1)]
      })
      // The second start finds the run ended, and returns the same.
      assert.deepStrictEqual(
        [yield* lastLine, yield* lastLine],
        [
          [0, answer],
          [0, answer]
        ]
      )
      assert.strictEqual(yield* read("ledger.txt"), "charged 500\n")
    })
  )

  it.scopedLive("command: its policy keeps short notes, asks about long ones and refuses secrets", () =>
    Effect.gen(function* () {
      const { read, start } = yield* recipe("command")
      const command = yield* start([], { talks: true })
      yield* command.say("y")
      const { code, stderr, stdout } = yield* command.ended
      assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "Two notes are kept.\n" })
      assert.include(stderr, "note: success\n")
      assert.include(stderr, "note: denied\n")
      assert.include(stderr, `{"text":"Call the plumber`)
      assert.sameMembers((yield* read("notes.txt")).trimEnd().split("\n"), [
        "Milk.",
        "Call the plumber about the tap in the kitchen."
      ])
    })
  )

  it.scopedLive("agents: each owner gets the agent of their plan", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* run("agents"), ["ada: There are three letters.", "bob: I have no archive."])
    })
  )

  it.scopedLive("outbox: a rollback does not undo a send inside it; with an outbox and a key, it is sent once", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* run("outbox"), [
        "rolled back: 0 tickets, 1 message",
        "sent once",
        "I will look at the door."
      ])
    })
  )
})
