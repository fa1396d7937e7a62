/** `skein acp` as a process, with the client of the protocol's own SDK. */
import * as acp from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import * as Wire from "../acp/Wire.js"
import * as NewerVersion from "../../../support/NewerVersion.js"
import * as Program from "./Program.js"

const agentMethods = acp.methods.agent

const script = JSON.stringify([
  {
    reasoning: "Hm.",
    text: "I write it.",
    calls: [{ name: "write", input: { path: "notes.md", content: "seven\n" } }]
  },
  { text: "Done." },
  { text: "Wait", hang: true }
])

const resource: acp.ContentBlock = { type: "resource", resource: { uri: "file:///notes.md", text: "seven" } }

type Asked = acp.RequestPermissionRequest

interface Editor {
  readonly agent: acp.ClientContext
  readonly updates: Array<acp.SessionUpdate>
  /** The raw lines that the agent wrote. */
  readonly raw: () => string
  readonly write: (line: string) => void
  /** Returns once there is an update that matches. */
  readonly until: (isMeant: (update: acp.SessionUpdate) => boolean) => Promise<void>
}

const lineOf = (update: acp.SessionUpdate): string => {
  switch (update.sessionUpdate) {
    case "user_message_chunk":
    case "agent_message_chunk":
    case "agent_thought_chunk":
      return `${update.sessionUpdate} ${update.content.type === "text" ? update.content.text : ""}`
    case "tool_call":
      return `tool_call ${update.title}`
    case "tool_call_update":
      return `tool_call_update ${[update.status, ...(update.content ?? []).map(({ type }) => type)].join(" ")}`
    default:
      return update.sessionUpdate
  }
}

/** Updates about the session itself rather than about what is said in it. */
const isOfSession = /^(?:session_info|available_commands|usage|config_option)_update$/

/** What was said, as lines; consecutive chunks of one kind are joined. */
const told = (updates: ReadonlyArray<acp.SessionUpdate>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const line of updates.map(lineOf).filter((line) => !isOfSession.test(line))) {
    const [kind = "", ...rest] = line.split(" ")
    const last = lines.at(-1)
    if (kind.endsWith("_chunk") && last?.startsWith(`${kind} `) === true)
      lines[lines.length - 1] = last + rest.join(" ")
    else lines.push(line)
  }
  return lines
}

/** An editor with an agent of its own. `onAsked` answers questions with the id of an option; null for never. */
const withEditor = <A>(
  home: Program.Home,
  onAsked: (asked: Asked, signal: AbortSignal) => string | null,
  use: (editor: Editor) => Promise<A>,
  /** Is passed the path of each write to a file; null for an editor without files. */
  onWrite: ((path: string) => void) | null = null
): Effect.Effect<{ readonly value: A; readonly code: number | null }> =>
  Effect.promise(async () => {
    const child = spawn(process.execPath, [Program.program, "acp"], {
      cwd: home.workdir,
      env: {
        HOME: home.at("."),
        PATH: process.env["PATH"] ?? "",
        SKEIN_DATA: home.data,
        SKEIN_MODEL: `script/${join(home.workdir, "script.json")}`
      },
      stdio: ["pipe", "pipe", "inherit"]
    })
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
    let raw = ""
    child.stdout.on("data", (bytes: Buffer) => (raw += bytes.toString()))
    const updates: Array<acp.SessionUpdate> = []
    let look = () => {}
    const until = (isMeant: (update: acp.SessionUpdate) => boolean) =>
      new Promise<void>((resolve) => {
        look = () => (updates.some(isMeant) ? resolve() : undefined)
        look()
      })
    const app = acp
      .client({ name: "editor" })
      .onNotification(acp.methods.client.session.update, ({ params }) => {
        updates.push(params.update)
        look()
      })
      .onRequest(acp.methods.client.session.requestPermission, ({ params, signal }) => {
        const optionId = onAsked(params, signal)
        return optionId === null
          ? new Promise((resolve) =>
              signal.addEventListener("abort", () => resolve({ outcome: { outcome: "cancelled" } }))
            )
          : { outcome: { outcome: "selected", optionId } }
      })
      .onRequest(acp.methods.client.fs.writeTextFile, ({ params }) => {
        onWrite?.(params.path)
        return {}
      })
    const clientCapabilities = onWrite === null ? {} : { fs: { writeTextFile: true } }
    const { flaws, stream } = Wire.watch(acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)))
    const value = await app.connectWith(stream, async (agent) => {
      await agent.request(agentMethods.initialize, { protocolVersion: 1, clientCapabilities })
      return use({ agent, updates, until, raw: () => raw, write: (line) => void child.stdin.write(line) })
    })
    child.stdin.end()
    expect(flaws).toEqual([])
    return { value, code: await ended }
  })

const text = (text: string): Array<acp.ContentBlock> => [{ type: "text", text }]

const codeOf = async (asked: Promise<unknown>) =>
  asked.then(
    () => 0,
    (error: unknown) => (error instanceof acp.RequestError ? error.code : String(error))
  )

describe("skein acp", () => {
  it.scopedLive("P13 ends when a newer version has migrated its data folder, and stores nothing more", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "script.json": JSON.stringify([{ text: "Wait", hang: true }]) })
      const { code, value } = yield* withEditor(
        home,
        () => null,
        async ({ agent, until }) => {
          const { sessionId } = await agent.request(agentMethods.session.new, { cwd: home.workdir, mcpServers: [] })
          const prompt = agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Seven") })
          await until((update) => lineOf(update) === "agent_message_chunk Wait")
          const before = NewerVersion.migrate(home.data)
          return { before, answered: await codeOf(prompt) }
        }
      )
      expect(code).toBe(1)
      expect(value.answered).not.toBe(0)
      expect(NewerVersion.rows(home.data)).toEqual(value.before)
    })
  )

  it.scopedLive(
    "says in the conversation, once, which MCP servers cannot be used: the editor's and the user's own",
    () =>
      Effect.gen(function* () {
        const home = yield* Program.make({ "script.json": JSON.stringify([{ text: "One." }, { text: "Two." }]) })
        const missing = { command: "/nowhere/server" }
        const elsewhere = { ...missing, folder: "/elsewhere" }
        const mcpServers = { mine: missing, elsewhere, bad: { url: "ftp://x" } }
        yield* home.write(".config/skein/config.json", JSON.stringify({ mcpServers }))
        const { value } = yield* withEditor(
          home,
          () => null,
          async ({ agent, updates }) => {
            const { sessionId } = await agent.request(agentMethods.session.new, {
              cwd: home.workdir,
              mcpServers: [{ name: "theirs", ...missing, args: [], env: [] }]
            })
            await agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Go") })
            const first = told(updates)
            await agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Go on") })
            return { first, all: told(updates) }
          }
        )
        const [first = "", ...others] = value.first
        expect(others).toEqual([])
        const said = first.split("\n\n")
        expect(said.at(-1)).toBe("One.")
        expect(said.slice(0, -1).toSorted()).toEqual([
          expect.stringMatching(/^The MCP server mine failed to .*; the run goes on without its tools$/),
          expect.stringMatching(/^The MCP server theirs failed to .*; the run goes on without its tools$/),
          expect.stringMatching(/^agent_message_chunk the MCP server bad in .* cannot be used: /)
        ])
        expect(value.all).toEqual([`${first}Two.`])
      })
  )

  it.scopedLive("is an editor's agent, and shows another editor what was said", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "script.json": script })
      const asked: Array<Asked> = []
      const allow = (one: Asked) => {
        asked.push(one)
        return "allow-once"
      }
      const first = yield* withEditor(home, allow, async ({ agent, raw, updates }) => {
        const { modes, sessionId } = await agent.request(agentMethods.session.new, {
          cwd: home.workdir,
          mcpServers: []
        })
        expect(modes?.currentModeId).toBe("workspace")
        const { stopReason } = await agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Seven") })
        expect(stopReason).toBe("end_turn")
        const lines = raw().split("\n").slice(0, -1)
        expect(lines.filter((line) => !line.startsWith('{"jsonrpc":"2.0"'))).toEqual([])
        return { sessionId, updates: [...updates] }
      })
      expect(first.code).toBe(0)
      expect(asked).toMatchObject([{ toolCall: { kind: "edit", rawInput: { path: "notes.md" } } }])
      expect(asked[0]?.options.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["allow_once", "reject_once"]))
      const lines = told(first.value.updates)
      expect(lines).toEqual([
        "agent_thought_chunk Hm.",
        "agent_message_chunk I write it.",
        "tool_call write",
        "tool_call_update ",
        "tool_call_update in_progress",
        expect.stringMatching(/^tool_call_update completed diff/),
        "agent_message_chunk Done."
      ])
      const { sessionId } = first.value
      const second = yield* withEditor(
        home,
        () => null,
        async ({ agent, until, updates }) => {
          const { sessions } = await agent.request(agentMethods.session.list, { cwd: home.workdir })
          expect(sessions.map((session) => session.sessionId)).toEqual([sessionId])
          await agent.request(agentMethods.session.load, { sessionId, cwd: home.workdir, mcpServers: [] })
          const loaded = told(updates)
          const prompt = agent.request(agentMethods.session.prompt, {
            sessionId,
            prompt: [...text("More"), resource]
          })
          await until((update) => lineOf(update) === "agent_message_chunk Wait")
          const busy = agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Now") })
          const refusal: unknown = await busy.catch((error: unknown) => error)
          await agent.notify(agentMethods.session.cancel, { sessionId })
          const stopped = await prompt
          updates.length = 0
          await agent.request(agentMethods.session.load, { sessionId, cwd: home.workdir, mcpServers: [] })
          return { loaded, refusal, stopped, said: told(updates) }
        }
      )
      expect(second.value.loaded).toEqual([
        "user_message_chunk Seven",
        "agent_thought_chunk Hm.",
        "agent_message_chunk I write it.",
        "tool_call Write notes.md",
        expect.stringMatching(/^tool_call_update completed diff/),
        "agent_message_chunk Done."
      ])
      expect(second.value.refusal).toMatchObject({ code: -32603, data: { runId: expect.stringMatching(/^run_/) } })
      expect(second.value.said).toContain(
        'user_message_chunk More\n<resource uri="file:///notes.md">\nseven\n</resource>'
      )
      expect(second.value.stopped).toMatchObject({ stopReason: "cancelled" })
    })
  )

  it.scopedLive("asks again in a later one, takes a question back, and contains what is no request", () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "script.json": script })
      const onAsked = (asked: Deferred.Deferred<AbortSignal>) => (_: Asked, signal: AbortSignal) => {
        Deferred.unsafeDone(asked, Effect.succeed(signal))
        return null
      }
      const isAsked = yield* Deferred.make<AbortSignal>()
      const first = yield* withEditor(home, onAsked(isAsked), async ({ agent, raw, write }) => {
        const at = home.workdir
        expect(await codeOf(agent.request(agentMethods.session.new, { cwd: "x", mcpServers: [] }))).toBe(-32602)
        expect(await codeOf(agent.request("session/nothing", {}))).toBe(-32601)
        const nobodys = { sessionId: "nobody", cwd: at, mcpServers: [] }
        expect(await codeOf(agent.request(agentMethods.session.load, nobodys))).toBe(-32002)
        write("{ this is no JSON\n")
        const { sessionId } = await agent.request(agentMethods.session.new, { cwd: at, mcpServers: [] })
        expect(raw()).toContain('"code":-32700')
        void agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Seven") }).catch(() => {})
        await Effect.runPromise(Deferred.await(isAsked))
        return sessionId
      })
      const sessionId = first.value
      const inLoaded = yield* Deferred.make<AbortSignal>()
      const second = yield* withEditor(home, onAsked(inLoaded), async ({ agent, updates }) => {
        await agent.request(agentMethods.session.load, { sessionId, cwd: home.workdir, mcpServers: [] })
        const loaded = told(updates)
        await Effect.runPromise(Deferred.await(inLoaded))
        return loaded
      })
      expect(second.value).toEqual([
        "user_message_chunk Seven",
        "agent_thought_chunk Hm.",
        "agent_message_chunk I write it.",
        "tool_call write",
        "tool_call_update "
      ])
      const inResumed = yield* Deferred.make<AbortSignal>()
      const third = yield* withEditor(home, onAsked(inResumed), async ({ agent, updates }) => {
        await agent.request(agentMethods.session.resume, { sessionId, cwd: home.workdir, mcpServers: [] })
        expect(told(updates)).toEqual([])
        const signal = await Effect.runPromise(Deferred.await(inResumed))
        const takenBack = new Promise((resolve) => signal.addEventListener("abort", resolve))
        await agent.notify(agentMethods.session.cancel, { sessionId })
        await takenBack
        await agent.request(agentMethods.session.delete, { sessionId })
        return agent.request(agentMethods.session.list, {})
      })
      expect(third.value.sessions).toEqual([])
      expect(third.code).toBe(0)
    })
  )

  it.scopedLive(
    "runs what an editor with files of its own says beside a server, which goes on when that editor leaves",
    () =>
      Effect.gen(function* () {
        const write = (path: string) => ({ calls: [{ name: "write", input: { path, content: path } }] })
        const home = yield* Program.make({
          "script.json": JSON.stringify([write("a.md"), { text: "One." }, write("b.md"), { text: "Two." }])
        })
        const server = yield* home.start(["serve", "--port", "0", "--json"], {
          SKEIN_MODEL: `script/${join(home.workdir, "script.json")}`
        })
        yield* Effect.flatten(server.line)
        const written: Array<string> = []
        const isAsked = yield* Deferred.make<void>()
        let questions = 0
        const first = yield* withEditor(
          home,
          () => {
            if (++questions === 1) return "allow-once"
            Deferred.unsafeDone(isAsked, Effect.void)
            return null
          },
          async ({ agent }) => {
            const { sessionId } = await agent.request(agentMethods.session.new, { cwd: home.workdir, mcpServers: [] })
            await agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Write") })
            void agent.request(agentMethods.session.prompt, { sessionId, prompt: text("More") }).catch(() => {})
            await Effect.runPromise(Deferred.await(isAsked))
            return sessionId
          },
          (path) => written.push(path)
        )
        expect(written).toEqual([join(home.workdir, "a.md")])
        expect(existsSync(join(home.workdir, "a.md"))).toBe(false)
        yield* withEditor(
          home,
          () => "allow-once",
          async ({ agent, until }) => {
            const sessionId = first.value
            await agent.request(agentMethods.session.load, { sessionId, cwd: home.workdir, mcpServers: [] })
            await until((update) => lineOf(update) === "agent_message_chunk Two.")
          }
        )
        expect(existsSync(join(home.workdir, "b.md"))).toBe(true)
      })
  )

  for (const signal of ["SIGTERM", "SIGKILL"] as const)
    it.scopedLive(`goes on without a server that is gone (${signal}), with or without files of the editor`, () =>
      Effect.gen(function* () {
        const home = yield* Program.make({
          "script.json": JSON.stringify([{ text: "Wait", hang: true }])
        })
        const server = yield* home.start(["serve", "--port", "0", "--json", "--drain", "0"], {
          SKEIN_MODEL: `script/${join(home.workdir, "script.json")}`
        })
        yield* Effect.flatten(server.line)
        const hasListed = yield* Deferred.make<void>()
        const begin = async ({ agent }: Editor) =>
          agent.request(agentMethods.session.new, { cwd: home.workdir, mcpServers: [] })
        const plain = withEditor(
          home,
          () => null,
          async (editor) => {
            const { agent, until, updates } = editor
            const { sessionId } = await begin(editor)
            const prompt = agent.request(agentMethods.session.prompt, { sessionId, prompt: text("Go") })
            await until((update) => lineOf(update) === "agent_message_chunk Wait")
            await Effect.runPromise(Effect.zipRight(Deferred.await(hasListed), server.signal(signal)))
            const refusal: unknown = await prompt.catch((error: unknown) => error)
            await agent.notify(agentMethods.session.cancel, { sessionId })
            const { sessions } = await agent.request(agentMethods.session.list, {})
            await agent.request(agentMethods.session.load, { sessionId, cwd: home.workdir, mcpServers: [] })
            updates.length = 0
            const resumed = agent.request(agentMethods.session.prompt, { sessionId, prompt: text("/resume") })
            await until((update) => lineOf(update) === "agent_message_chunk Wait")
            await agent.notify(agentMethods.session.cancel, { sessionId })
            const { stopReason } = await resumed
            await begin(editor)
            return { refusal, sessions, stopReason }
          }
        )
        const withFiles = withEditor(
          home,
          () => null,
          async ({ agent }) => {
            await agent.request(agentMethods.session.list, {})
            Deferred.unsafeDone(hasListed, Effect.void)
            await Effect.runPromise(server.ended)
            return agent.request(agentMethods.session.list, {})
          },
          () => {}
        )
        const [{ value }, files] = yield* Effect.all([plain, withFiles], { concurrency: 2 })
        expect(value.refusal).toMatchObject({ code: -32603, message: expect.stringContaining("/resume") })
        expect(value.stopReason).toBe("cancelled")
        expect(value.sessions).toHaveLength(1)
        expect(files.value.sessions.length).toBeGreaterThan(0)
      })
    )

  it.scopedLive("ends with one line when a message is too long to be one, or has too much in it", () =>
    Effect.gen(function* () {
      const home = yield* Program.make()
      const fine = `{"jsonrpc":"2.0","method":"$/x","params":{"_meta":{"a":[${"0,".repeat(60_000)}0]}}}\n`
      const crowded = `{"jsonrpc":"2.0","method":"$/x","params":{"_meta":{"a":[${"0,".repeat(100_000)}0]}}}\n`
      yield* home.write("work/crowded", `${fine}${fine}${crowded}`)
      const deep = `{"jsonrpc":"2.0","method":"$/x","params":{"_meta":{"a":${"[".repeat(300)}${"]".repeat(300)}}}}\n`
      yield* home.write("work/deep", deep)
      yield* home.write("work/fine", `${fine}${fine}${fine}`)
      for (const source of ["head -c 104857600 /dev/zero", "cat crowded", "cat deep"]) {
        expect(yield* home.shell(`${source} | skein acp`)).toMatchObject({
          code: 1,
          stdout: "",
          stderr: expect.stringMatching(/^skein: the editor sent a message of more than 32 MiB or 100,000[^\n]*\n$/)
        })
      }
      expect(yield* home.shell("cat fine | skein acp")).toMatchObject({ code: 0, stdout: "", stderr: "" })
    })
  )
})
