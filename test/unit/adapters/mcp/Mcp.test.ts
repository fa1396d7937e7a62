import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Ref, TestClock } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Mcp } from "skein/mcp"
import { ScriptedModel } from "skein/scripted-model"
import { bundle } from "../../../support/programs/Bundle.js"
import { freePort } from "../../../support/postgres/Server.js"
import { httpServer } from "./httpServer.js"
import { withServers } from "./withServers.js"

const hostileProgram = bundle(new URL("hostile.ts", import.meta.url), { whole: true })

/** The program of a package. */
const programOf = (name: string) =>
  join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "dist/index.js")

const everything = programOf("@modelcontextprotocol/server-everything")

/** A server over HTTP that answers calls at each path with a text: events where the path says so. */
const speaking = (calls: Readonly<Record<string, (id: number) => string>>) =>
  httpServer(({ id, method, path }, response) => {
    if (method !== "tools/call" || id === undefined) return false
    response.setHeader("content-type", path.startsWith("event") ? "text/event-stream" : "application/json")
    response.end(calls[path]?.(id))
    return true
  })

const newFolder = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "skein-mcp-")))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

describe("MCP servers of others", () => {
  it.scopedLive("provide tools, commands, resources, forms and progress; pictures in results become assets", () =>
    Effect.gen(function* () {
      const { asked, begin, gateway, mcp, model, run, seen, tools } = yield* withServers({
        every: { command: process.execPath, args: [everything], reads: ["echo"] }
      })
      expect((yield* mcp.about("every")).name).toMatch(/everything/)
      expect(tools.filter(({ access }) => access === "read").map(({ name }) => name)).toEqual(["every__echo"])
      expect(tools.length).toBeGreaterThan(5)
      // A list that has not changed is not read again.
      expect(yield* mcp.tools("every")).toBe(yield* mcp.tools("every"))
      const { lines, ref } = yield* run(
        ["every__echo", { message: "hello" }],
        ["every__get-sum", { a: 2, b: 3 }],
        ["every__get-sum", { a: "two" }],
        ["every__get-tiny-image", {}],
        ["every__get-structured-content", { location: "New York" }]
      )
      expect(lines[0]).toBe("every__echo success: Echo: hello")
      expect(lines[1]).toMatch(/^every__get-sum success: .*5/)
      expect(lines[2]).toMatch(/^every__get-sum failure: /)
      expect(lines[3]).toMatch(/^every__get-tiny-image success: /)
      expect(lines[4]).toMatch(/^every__get-structured-content success: .*temperature/)
      expect((yield* gateway.assets(ref.sessionId)).map(({ mediaType }) => mediaType)).toEqual(["image/png"])

      const commands = yield* mcp.commands(null)
      expect(commands.find(({ name }) => name === "every__args-prompt")?.arguments).toMatchObject([
        { name: "city", isRequired: true },
        { name: "state", isRequired: false }
      ])
      const expand = (name: string, typed: string) => mcp.expand(null, name, typed)
      expect(yield* expand("every__args-prompt", '"New York" the state')).toEqual({
        text: "What's weather in New York, the state?",
        files: []
      })
      expect((yield* expand("every__simple-prompt", "")).text).toMatch(/^This is a simple prompt/)
      const refusal = (name: string, typed: string) =>
        Effect.map(Effect.flip(expand(name, typed)), ({ message }) => message)
      expect(yield* refusal("every__args-prompt", "")).toMatch(/city \[state\].*no city/)
      expect(yield* refusal("every__simple-prompt", "more")).toMatch(/no arguments/)
      expect(yield* refusal("every__nothing", "")).toMatch(/one of .*\/every__simple-prompt/)
      const uris = (yield* mcp.resources("every")).map(({ uri }) => uri)
      expect(uris.length).toBeGreaterThan(2)
      const document = yield* mcp.read(null, "every", uris[0] ?? "")
      expect(document.text).toMatch(/^<resource uri="demo:/)
      const blob = yield* mcp.read(null, "every", "demo://resource/dynamic/blob/1")
      expect(blob).toMatchObject({ text: "", files: [{ name: "1" }] })
      expect((yield* Effect.flip(mcp.read(null, "every", "demo://resource/nothing")))._tag).toBe("McpRefused")

      const form = yield* asked("every__trigger-elicitation-request", {})
      const { fields = [], from } = form.question.display.inquiry ?? {}
      expect(from).toBe("every")
      const has = (name: string) => fields.find((field) => field.name === name)
      expect(has("name")).toMatchObject({ kind: "text", title: "String", isRequired: true })
      expect(has("integer")).toMatchObject({ kind: "integer", least: 1, most: 100, initial: 42 })
      expect(has("titledSingleSelectEnum")?.options?.[0]).toEqual({ value: "hero-1", title: "Superman" })
      expect(has("titledMultipleSelectEnum")).toMatchObject({ kind: "choices", least: 1, most: 3 })
      const values = { name: "Ann", check: true, titledMultipleSelectEnum: ["fish-2"] }
      expect(yield* form.answer({ verdict: "allow-once", values })).toMatch(/fish-2/)
      const refused = yield* asked("every__trigger-elicitation-request", {})
      expect(yield* refused.answer({ verdict: "deny" })).toMatch(/"action": "decline"/)
      const dismissed = yield* asked("every__trigger-elicitation-request", {})
      expect(yield* dismissed.answer({ verdict: "deny", isDismissed: true })).toMatch(/"action": "cancel"/)
      const link = yield* asked("every__trigger-url-elicitation", { url: "https://example.com/x" })
      expect(link.question.display.inquiry).toMatchObject({ link: "https://example.com/x", fields: [] })
      expect(yield* link.answer({ verdict: "allow-once" })).toMatch(/accept/)

      const slow = ScriptedModel.call({ name: "every__trigger-long-running-operation" }, { duration: 0.2, steps: 2 })
      yield* model.play(ScriptedModel.calls(slow), ScriptedModel.text("done"))
      const { text } = yield* seen(yield* begin("go"), "call.progress")
      expect(text).toMatch(/^1\/2/)
    })
  )

  it.scopedLive("read files of their folder; the model gets their refusal of other files", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      writeFileSync(join(folder, "a.txt"), "the text")
      const { run } = yield* withServers({
        files: { command: process.execPath, args: [programOf("@modelcontextprotocol/server-filesystem"), folder] }
      })
      const { lines } = yield* run(
        ["files__read_text_file", { path: join(folder, "a.txt") }],
        ["files__read_text_file", { path: "/etc/passwd" }]
      )
      expect(lines[0]).toBe("files__read_text_file success: the text")
      expect(lines[1]).toMatch(/^files__read_text_file failure: .*denied/)
    })
  )

  it.scopedLive("work over HTTP too", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const env = { ...process.env, PORT: `${port}` }
          const server = spawn(process.execPath, [everything, "streamableHttp"], { env })
          await once(server.stderr, "data")
          return server
        }),
        (server) => Effect.sync(() => server.kill("SIGKILL"))
      )
      const { run } = yield* withServers({ remote: { url: `http://127.0.0.1:${port}/mcp` } })
      const { lines } = yield* run(["remote__echo", { message: "hello" }])
      expect(lines).toEqual(["remote__echo success: Echo: hello"])
    })
  )
})

describe("a server that misbehaves", () => {
  const good = { command: process.execPath, args: [everything] }

  it.scopedLive(
    "harms only its own calls when it dies, floods, sends an endless line, refuses or cannot be started",
    () =>
      Effect.gen(function* () {
        const program = yield* hostileProgram
        const hostile = (way: string) => ({ command: process.execPath, args: [program, way] })
        const { mcp, run } = yield* withServers({
          good,
          dies: hostile("dies"),
          floods: hostile("floods"),
          answers: hostile("answers"),
          huge: hostile("huge"),
          refuses: hostile("refuses"),
          asks: hostile("asks"),
          crowded: hostile("crowded"),
          deep: hostile("deep"),
          stillborn: hostile("stillborn"),
          missing: { command: "/no/such/program" },
          nobody: { url: "http://127.0.0.1:9/mcp", headers: { authorization: "Bearer canary" } }
        })
        const { lines } = yield* run(
          ["dies__go", {}],
          ["floods__go", {}],
          ["huge__go", {}],
          ["refuses__go", {}],
          ["good__echo", { message: "unharmed" }],
          ["asks__go", {}],
          ["crowded__go", {}],
          ["deep__go", {}],
          ["answers__go", {}]
        )
        expect(lines[0]).toMatch(/^dies__go failure: .*failed to call: ended \(exit code 7\)/)
        expect(lines[1]).toMatch(/^floods__go failure: .*failed to call: sent over 5000 messages/)
        expect(lines[2]).toMatch(/^huge__go failure: .*failed to call: sent a line of over/)
        expect(lines[3]).toMatch(/^refuses__go failure: .*there is no such thing/)
        expect(lines[4]).toBe("good__echo success: Echo: unharmed")
        expect(lines[5]).toBe("asks__go success: unasked decline wordy decline")
        expect(lines[6]).toMatch(
          /^crowded__go failure: .*failed to call: sent too much in one message: more than 20000 values/
        )
        expect(lines[7]).toMatch(
          /^deep__go failure: .*failed to call: sent too much in one message: nested more than 200 deep/
        )
        expect(lines[8]).toMatch(/^answers__go failure: .*failed to call: sent over 5000 messages/)
        for (const [server, reason] of [
          ["stillborn", /ended \(exit code 3\)/],
          ["missing", /could not be started \(ENOENT\)/],
          ["nobody", /./]
        ] as const) {
          const error = yield* Effect.flip(mcp.tools(server))
          expect(error).toMatchObject({ _tag: "McpFailed", server, operation: "connect" })
          expect(error.message).toMatch(reason)
          expect(error.message).not.toContain("canary")
        }
        // It is started again when it is called, but then no more.
        expect((yield* run(["dies__go", {}])).lines[0]).toMatch(/failed to call/)
        expect((yield* run(["dies__go", {}])).lines[0]).toMatch(/failed to call/)
        expect((yield* run(["dies__go", {}])).lines[0]).toMatch(/not tried again/)
        expect((yield* Effect.flip(mcp.tools("other")))._tag).toBe("McpUnknown")
      })
  )

  it.scopedLive(
    "harms only its own calls over HTTP, where a message has too much in it, in an answer or in an event",
    () =>
      Effect.gen(function* () {
        const crowd = JSON.stringify(Array.from({ length: 20_001 }, () => 0))
        const fine = (id: number) =>
          `data: {"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"fine"}]}}\n\n`
        /** A message nested 300 deep, in two lines with another between them. */
        const deep = (id: number, between: string) => {
          const start = `data: {"jsonrpc":"2.0","id":${id},"result":{"content":[],"structuredContent":{"a":`
          return `${start}${"[".repeat(150)}\n${between}\ndata: ${"[".repeat(150)}${"]".repeat(300)}}}}\n\n`
        }
        const url = yield* speaking({
          answer: (id) => `{"jsonrpc":"2.0","id":${id},"result":{"content":${crowd}}}`,
          event: (id) => {
            const lines = [`: "`, `data: {"jsonrpc":"2.0","id":${id},`, `data: "result":{"content":${crowd}}}`]
            return `${lines.join("\r\n")}\r\n\r\n`
          },
          events: (id) => {
            const note = `data: {"jsonrpc":"2.0","method":"notifications/x","params":{"a":[${"1,".repeat(6_000)}1]}}\n\n`
            return `${note.repeat(5)}${fine(id)}`
          },
          eventAfterComment: (id) => `: ${"]".repeat(40_000)}\n${deep(id, ":")}`,
          eventAfterMark: (id) => `\ufeff${deep(id, ":")}`,
          eventAroundComment: (id) => deep(id, `: ${"]".repeat(150)}`),
          eventAroundField: (id) => deep(id, `data : ${"]".repeat(150)}`),
          eventsWithComments: (id) => `: fine\n\n: ${"{},".repeat(20_001)}\n: ${"[".repeat(300)}\n${fine(id)}`
        })
        const { run } = yield* withServers({
          answer: { url: `${url}/answer` },
          event: { url: `${url}/event` },
          events: { url: `${url}/events` },
          eventAfterComment: { url: `${url}/eventAfterComment` },
          eventAfterMark: { url: `${url}/eventAfterMark` },
          eventAroundComment: { url: `${url}/eventAroundComment` },
          eventAroundField: { url: `${url}/eventAroundField` },
          eventsWithComments: { url: `${url}/eventsWithComments` }
        })
        const { lines } = yield* run(
          ["answer__go", {}],
          ["event__go", {}],
          ["events__go", {}],
          ["eventsWithComments__go", {}],
          ["eventAfterComment__go", {}],
          ["eventAfterMark__go", {}],
          ["eventAroundComment__go", {}],
          ["eventAroundField__go", {}]
        )
        expect(lines[0]).toMatch(
          /^answer__go failure: .*failed to call: sent too much in one message: more than 20000 values/
        )
        expect(lines[1]).toMatch(
          /^event__go failure: .*failed to call: sent too much in one message: more than 20000 values/
        )
        expect(lines[2]).toBe("events__go success: fine")
        expect(lines[3]).toBe("eventsWithComments__go success: fine")
        expect(lines.slice(4)).toHaveLength(4)
        for (const line of lines.slice(4)) {
          expect(line).toMatch(/ failure: .*failed to call: sent too much in one message: nested more than 200 deep/)
        }
      })
  )

  it.scopedLive("is started again when it failed to start, three times within a minute", () =>
    Effect.gen(function* () {
      const program = yield* hostileProgram
      const folder = yield* newFolder
      const mcp = yield* Mcp.make({
        once: { command: process.execPath, args: [program, "fails-once", join(folder, "mark")] },
        never: { command: process.execPath, args: [program, "stillborn"] }
      })
      const failure = (server: string) => Effect.map(Effect.flip(mcp.tools(server)), ({ message }) => message)
      expect(yield* failure("once")).toMatch(/ended \(exit code 3\)/)
      expect((yield* mcp.tools("once")).map(({ name }) => name)).toEqual(["once__go"])
      for (const _ of [1, 2, 3]) expect(yield* failure("never")).toMatch(/ended \(exit code 3\)/)
      expect(yield* failure("never")).toMatch(/not tried again/)
    })
  )

  it.scopedLive("is told apart by what it does wrong, never in its own words", () =>
    Effect.gen(function* () {
      const program = yield* hostileProgram
      const hostile = (way: string) => ({ command: process.execPath, args: [program, way] })
      const mcp = yield* Mcp.make({ ancient: hostile("ancient"), formless: hostile("formless") })
      for (const [server, says] of [
        ["ancient", "failed to connect: it speaks a version of the protocol that is not supported"],
        ["formless", "failed to list: its answer does not keep to the protocol"]
      ] as const) {
        const { message } = yield* Effect.flip(mcp.tools(server))
        expect(message).toBe(`The MCP server ${server} ${says}`)
      }
    })
  )

  it.scoped(
    "keeps steps waiting once, for ten seconds in all, and is reported once, when it never says who it is",
    () =>
      Effect.gen(function* () {
        const told = yield* Ref.make<ReadonlyArray<string>>([])
        const mcp = yield* Mcp.make(
          { silent: { command: process.execPath, args: [yield* hostileProgram, "silent"] } },
          { onLeftOut: ({ message }) => Ref.update(told, (before) => [...before, message]) }
        )
        const first = yield* Effect.fork(mcp.toolsFor(null))
        yield* Effect.repeat(TestClock.adjust("4 seconds"), { until: () => first.unsafePoll() !== null })
        expect(yield* Fiber.join(first)).toEqual([])
        for (const _ of [1, 2]) expect(yield* mcp.toolsFor(null)).toEqual([])
        expect(yield* Ref.get(told)).toEqual(["The MCP server silent failed to list: it does not answer"])
      })
  )

  it.scopedLive("has its tools renamed or left out; its claims are not believed and its schemas not compiled", () =>
    Effect.gen(function* () {
      const { run, tools } = yield* withServers({
        lies: { command: process.execPath, args: [yield* hostileProgram, "lies"] }
      })
      const names = tools.map(({ name }) => name)
      expect(names).toHaveLength(4)
      expect(names[0]).toMatch(/^lies__with_dots_[0-9a-f]{8}$/)
      expect(names[1]).toBe("lies__with_dots")
      expect(names[2]).toMatch(/^lies__x{49}_[0-9a-f]{8}$/)
      expect(names[3]).toBe("lies__evil")
      expect(tools.map(({ access }) => access)).toEqual(["write", "write", "write", "write"])
      expect((yield* run(["lies__evil", {}])).lines).toEqual(["lies__evil success: true"])
    })
  )

  it.scopedLive("does not delay the end of a cancelled call when it hangs", () =>
    Effect.gen(function* () {
      const { begin, gateway, lines, model, seen } = yield* withServers({
        hangs: { command: process.execPath, args: [yield* hostileProgram, "hangs"] }
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call({ name: "hangs__go" }, {})), ScriptedModel.text("done"))
      const ref = yield* begin("go")
      yield* seen(ref, "call.started")
      yield* gateway.cancel(ref.runId)
      expect((yield* lines(ref.sessionId))[2]).toMatch(/^hangs__go interrupted/)
    })
  )

  it.effect("is refused if its settings are invalid", () =>
    Effect.gen(function* () {
      for (const servers of [{ "a b": { command: "x" } }, { a: { url: "ftp://x" } }, { a: { command: "" } }]) {
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Mcp.layer(servers))))
        expect(error).toMatchObject({ _tag: "InvalidInput", field: "mcpServers" })
      }
    })
  )
})
