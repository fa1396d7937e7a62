import { describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import { Deferred, Effect, Option } from "effect"
import { existsSync, readFileSync } from "node:fs"
import * as SessionEvent from "../../../../src/domain/SessionEvent.js"
import { eventually } from "../../../support/Eventually.js"
import * as FakeProvider from "../providers/FakeProvider.js"
import * as ChatRequest from "./ChatRequest.js"
import * as Program from "./Program.js"

const setup = (files: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const home = yield* Program.make(files)
    const fake = yield* FakeProvider.make
    return { ...home, fake, env: yield* Program.configure(home, fake.url) }
  })

const newest = (home: Program.Home) =>
  Effect.gen(function* () {
    const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
    return yield* Effect.fromNullable(session)
  })

const call = (name: string, input: Readonly<Record<string, string>>) => ({ name, input })

/** Read from the database, without a process that lists sessions. */
const newestId = (home: Program.Home): string => {
  const database = new Database(`${home.data}/skein.db`, { readonly: true })
  const id = database.prepare<[], string>("SELECT id FROM session_rows ORDER BY ordinal DESC").pluck().get()
  database.close()
  return id ?? expect.unreachable()
}

/** A search that takes longer than any test: it would go on forever, and only its time limit ends it. */
const slowFile = { "slow.txt": `${"a".repeat(60)}!\n` }
const slowCall = call("grep", { pattern: "(a+)+$", path: "slow.txt" })

describe("skein run", () => {
  it.scopedLive("P1 one order: runs tools, streams text, and sends the results in the order of the calls", () =>
    Effect.gen(function* () {
      const home = yield* setup({ "a.txt": "alpha", "b.txt": "beta" })
      yield* home.fake.answer(
        FakeProvider.chat({
          text: "Looking.",
          calls: [call("grep", { pattern: "b" }), call("read", { path: "a.txt" })]
        }),
        FakeProvider.chat({ text: ["All ", "good."] })
      )
      const { code, stderr, stdout } = yield* home.run(["run", "check it"], home.env)
      expect({ code, stdout }).toEqual({ code: 0, stdout: "All good.\n" })
      expect(stderr).toMatch(/^session ses_\w+\nLooking\.\n/)
      expect(stderr).toMatch(/✓ read a\.txt +\d+ ms\n/)
      expect(stderr).toMatch(/✓ grep b +\d/)
      expect(stderr).not.toContain("All good.")
      const [, second] = yield* Effect.forEach(yield* home.fake.received, ChatRequest.decode)
      expect(second?.model).toBe("m")
      expect(ChatRequest.problems(second?.messages ?? [])).toEqual([])
      expect(ChatRequest.results(second?.messages ?? [])).toEqual(["b.txt:1: beta", "alpha"])
    })
  )

  it.scopedLive("--json prints one event a line and nothing else", () =>
    Effect.gen(function* () {
      const home = yield* setup({ "a.txt": "alpha" })
      yield* home.fake.answer(
        FakeProvider.chat({ calls: [call("read", { path: "a.txt" }), call("list", {})] }),
        FakeProvider.chat({ text: "All good." })
      )
      const ended = yield* home.run(["run", "--json", "check it"], home.env)
      expect(ended.code).toBe(0)
      const events = Program.events(ended)
      const cursors = events.filter(SessionEvent.isDurable).map(({ cursor }) => cursor)
      expect(cursors).toEqual(cursors.map((_, at) => (cursors[0] ?? 0) + at))
      expect(events.filter(SessionEvent.is("call.finished"))).toHaveLength(2)
      const text = events.filter(SessionEvent.is("text.delta")).map(({ text }) => text)
      expect(text.join("")).toBe("All good.")
      expect(events.at(-1)).toMatchObject({ type: "run.ended", stopReason: "completed" })
      const last: unknown = JSON.parse(ended.stdout.trimEnd().split("\n").at(-1) ?? "")
      expect(last).toMatchObject({ answer: "All good.", usage: { steps: 2 } })
    })
  )

  it.scopedLive("where nobody can be asked a call is denied, and the model told; with --yes it runs", () =>
    Effect.gen(function* () {
      const home = yield* setup()
      const write = FakeProvider.chat({
        calls: [call("write", { path: "new.txt", content: "made" }), call("shell", { command: "echo $((6 * 7))" })]
      })
      yield* home.fake.answer(
        write,
        FakeProvider.chat({ text: "A pity." }),
        write,
        FakeProvider.chat({ text: "Done." })
      )
      const denied = yield* home.run(["run", "write it"], home.env)
      expect(denied).toMatchObject({ code: 0, stdout: "A pity.\n" })
      expect(denied.stderr).toMatch(/✗ write new\.txt made\n {4}denied /)
      expect(existsSync(home.at("work/new.txt"))).toBe(false)
      const allowed = yield* home.run(["run", "--yes", "write it"], home.env)
      expect(allowed.code).toBe(0)
      expect(readFileSync(home.at("work/new.txt"), "utf8")).toBe("made")
      expect(allowed.stderr).toMatch(/✓ shell "echo \$\(\(6 \* 7\)\)" +\d/)
      const requests = yield* Effect.forEach(yield* home.fake.received, ChatRequest.decode)
      expect(ChatRequest.results(requests[1]?.messages ?? [])[0]).toMatch(/^Denied: .*--yes/)
      expect(ChatRequest.results(requests[3]?.messages ?? [])[1]).toContain("42")
    })
  )

  it.scopedLive("--session goes on with a session, --model changes its model", () =>
    Effect.gen(function* () {
      const home = yield* setup()
      yield* home.fake.answer(FakeProvider.chat({ text: "One." }), FakeProvider.chat({ text: "Two." }))
      yield* home.run(["run", "first"], home.env)
      const { id, model } = yield* newest(home)
      expect(model).toBe(null)
      const again = yield* home.run(["run", "--session", id, "--model", "fake/other", "second"], home.env)
      expect(again).toMatchObject({ code: 0, stdout: "Two.\n", stderr: `session ${id}\n` })
      const [, second] = yield* Effect.forEach(yield* home.fake.received, ChatRequest.decode)
      expect(second?.model).toBe("other")
      expect(second?.messages.filter(({ role }) => role !== "system")).toHaveLength(3)
      expect((yield* newest(home)).model).toEqual({ provider: "fake", model: "other" })
    })
  )

  it.scopedLive(
    "P4 always sendable: Ctrl-C cancels the run, shows its end and leaves a transcript that can be sent",
    () =>
      Effect.gen(function* () {
        const home = yield* setup({ ...slowFile, "a.txt": "alpha" })
        yield* home.fake.answer(FakeProvider.chat({ calls: [slowCall, call("read", { path: "a.txt" })] }))
        const running = yield* home.start(["run", "--json", "search"], home.env)
        yield* Program.readUntil(running, "call.finished")
        yield* running.signal("SIGINT")
        const ended = yield* running.ended
        expect(ended).toMatchObject({ code: null, signal: "SIGINT", stderr: "" })
        expect(Program.events(ended).at(-1)).toMatchObject({ type: "run.ended", stopReason: "cancelled" })
        const id = newestId(home)
        yield* home.fake.answer(FakeProvider.chat({ text: "Here I am." }))
        expect(yield* home.run(["run", "--session", id, "go on"], home.env)).toMatchObject({ code: 0 })
        const last = yield* Effect.flatMap(home.fake.received, (all) => Effect.fromNullable(all.at(-1)))
        const { messages } = yield* ChatRequest.decode(last)
        expect(ChatRequest.problems(messages)).toEqual([])
        expect(ChatRequest.results(messages)[1]).toBe("alpha")
      })
  )

  for (const [signal, end] of [
    ["SIGTERM", { code: null, signal: "SIGTERM" }],
    ["SIGHUP", { code: null, signal: "SIGHUP" }],
    ["SIGQUIT", { code: 131, signal: null }]
  ] as const) {
    it.scopedLive(
      `${signal} does the same while the model writes; what it had written is kept, and the end tells the signal`,
      () =>
        Effect.gen(function* () {
          const home = yield* setup()
          yield* home.fake.answer(FakeProvider.chat({ text: "half an ans", hang: true }))
          const running = yield* home.start(["run", "--json", "tell me"], home.env)
          yield* Program.readUntil(running, "text.delta")
          yield* running.signal(signal)
          expect(yield* running.ended).toMatchObject(end)
          const id = newestId(home)
          const [, answer] = Program.entries(yield* home.run(["sessions", "show", id, "--json"]))
          expect(answer?.message).toMatchObject({ role: "assistant", partial: true, parts: [{ text: "half an ans" }] })
        })
    )
  }

  for (const [first, second] of [
    ["SIGINT", "SIGINT"],
    ["SIGTERM", "SIGHUP"],
    ["SIGHUP", "SIGINT"]
  ] as const)
    it.scopedLive(`a second signal ends it at once, whatever the first one waits for: ${first}, ${second}`, () =>
      Effect.gen(function* () {
        const home = yield* setup()
        yield* home.fake.answer(FakeProvider.chat({ text: "half an ans", hang: true }))
        const running = yield* home.start(["run", "--json", "tell me", "--log-level", "debug"], home.env)
        yield* Program.readUntil(running, "text.delta")
        yield* Effect.acquireRelease(
          Effect.sync(() => new Database(`${home.data}/skein.db`).exec("BEGIN IMMEDIATE")),
          (lock) => Effect.sync(() => lock.close())
        )
        yield* running.signal(first)
        while (!(yield* Effect.flatten(running.errorLine)).includes("cancelling")) yield* Effect.yieldNow()
        yield* running.signal(second)
        expect(yield* running.ended).toMatchObject({ code: null, signal: second })
      })
    )

  it.scopedLive("P2 seen means stored: kill -9 after two calls were announced loses neither", () =>
    Effect.gen(function* () {
      const home = yield* setup({ ...slowFile, "a.txt": "alpha", "b.txt": "beta" })
      yield* home.fake.answer(
        FakeProvider.chat({ calls: [slowCall, call("read", { path: "a.txt" }), call("read", { path: "b.txt" })] })
      )
      const running = yield* home.start(["run", "--json", "search"], home.env)
      const seen = yield* Program.readUntil(running, "call.finished", 2)
      yield* running.signal("SIGKILL")
      expect((yield* running.ended).code).toBe(null)
      const id = newestId(home)

      const announced = seen.filter(SessionEvent.is("call.finished")).map(({ seq }) => seq)
      const shown = Program.entries(yield* home.run(["sessions", "show", id, "--json"]))
      const places = shown.map(({ seq }) => seq)
      expect(places).toEqual([...places].sort((a, b) => a - b))
      expect(places).toEqual(expect.arrayContaining(announced))
      expect((yield* home.run(["sessions", "show", id])).stdout).toContain("--resume")

      yield* home.fake.answer(FakeProvider.chat({ text: "Here I am." }))
      expect(yield* home.run(["run", "--session", id, "go on"], home.env)).toMatchObject({ code: 0 })
      const last = yield* Effect.flatMap(home.fake.received, (all) => Effect.fromNullable(all.at(-1)))
      const { messages } = yield* ChatRequest.decode(last)
      expect(ChatRequest.problems(messages)).toEqual([])
      const [slow, ...fast] = ChatRequest.results(messages)
      expect(slow).toContain("effects are unknown")
      expect(fast).toEqual(["alpha", "beta"])
    })
  )

  it.scopedLive("a session that another process runs is refused, and its run goes on, whatever of it is seen", () =>
    Effect.gen(function* () {
      const home = yield* setup()
      yield* home.fake.answer(FakeProvider.chat({ text: "half an ans", hang: true }))
      const running = yield* home.start(["run", "--json", "tell me"], home.env)
      yield* Program.readUntil(running, "text.delta")
      const id = newestId(home)
      const drafts = yield* Effect.acquireRelease(
        Effect.sync(() => new Database(`${home.data}/skein.db`)),
        (database) => Effect.sync(() => database.close())
      )
      const draft = Effect.sync((): unknown => drafts.prepare("SELECT 1 FROM drafts").get())
      yield* eventually(draft, (found) => found !== undefined)
      const refused = yield* home.run(["run", "--session", id, "and I?"], home.env)
      expect(refused).toMatchObject({ code: 1, stdout: "" })
      expect(refused.stderr).toMatch(/is busy with run run_\w+; add --queue to wait for it\n$/)
      yield* running.signal("SIGINT")
      expect(Program.events(yield* running.ended).at(-1)).toMatchObject({ stopReason: "cancelled" })
    })
  )

  for (const [signal, seen] of [
    ["SIGINT", { signal: "SIGINT" }],
    ["SIGKILL", { signal: "SIGKILL" }]
  ] as const)
    it.scopedLive(`--queue has its answer when the process that it waits for ends, by ${signal}`, () =>
      Effect.gen(function* () {
        const home = yield* setup()
        yield* home.fake.answer(
          FakeProvider.chat({ text: "half an ans", hang: true }),
          FakeProvider.chat({ text: "Second." }),
          FakeProvider.chat({ text: "Second." })
        )
        const first = yield* home.start(["run", "--json", "one"], home.env)
        yield* Program.readUntil(first, "text.delta")
        const id = newestId(home)
        const second = yield* home.start(["run", "--json", "--session", id, "--queue", "two"], home.env)
        yield* Program.readUntil(second, "run.queued")
        yield* first.signal(signal)
        expect(yield* first.ended).toMatchObject(seen)
        const ended = yield* second.ended
        expect(ended).toMatchObject({ code: 0, stderr: "" })
        expect(JSON.parse(ended.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
          stopReason: "completed",
          answer: "Second."
        })
      })
    )

  it.scopedLive("--resume goes on after a crash without a message", () =>
    Effect.gen(function* () {
      const home = yield* setup(slowFile)
      yield* home.fake.answer(FakeProvider.chat({ calls: [slowCall] }))
      const running = yield* home.start(["run", "--json", "search"], home.env)
      yield* Program.readUntil(running, "call.started")
      yield* running.signal("SIGKILL")
      yield* running.ended
      const id = newestId(home)
      yield* home.fake.answer(FakeProvider.chat({ text: "Back again." }))
      const resumed = yield* home.run(["run", "--session", id, "--resume"], home.env)
      expect(resumed).toMatchObject({ code: 0, stdout: "Back again.\n" })
    })
  )

  it.scopedLive("--resume follows the message that waited behind a crashed run", () =>
    Effect.gen(function* () {
      const home = yield* setup(slowFile)
      yield* home.fake.answer(FakeProvider.chat({ calls: [slowCall] }))
      const first = yield* home.start(["run", "--json", "search"], home.env)
      yield* Program.readUntil(first, "call.started")
      const id = newestId(home)
      const second = yield* home.start(["run", "--json", "and then?", "--session", id, "--queue"], home.env)
      yield* Program.readUntil(second, "run.queued")
      for (const running of [second, first]) {
        yield* running.signal("SIGKILL")
        yield* running.ended
      }
      yield* home.fake.answer(FakeProvider.chat({ text: "Then this." }))
      const resumed = yield* home.run(["run", "--session", id, "--resume"], home.env)
      expect(resumed).toMatchObject({ code: 0, stdout: "Then this.\n" })
      expect((yield* home.run(["sessions", "list"], home.env)).stdout).toContain("idle")
    })
  )

  it.scopedLive("ends quietly when nobody reads its output any more, and cancels the run", () =>
    Effect.gen(function* () {
      const home = yield* setup(slowFile)
      const gate = yield* Deferred.make<void>()
      const looking = FakeProvider.chat({ text: "Looking.", calls: [call("list", {}), slowCall] })
      yield* home.fake.answer({ ...looking, chunks: [Deferred.await(gate), ...looking.chunks] })
      const running = yield* home.start(["run", "--json", "search"], home.env)
      expect(Option.isSome(yield* running.line)).toBe(true)
      yield* running.stopReading
      yield* Deferred.succeed(gate, undefined)
      expect(yield* running.ended).toMatchObject({ code: 130, stderr: "" })
      const id = newestId(home)
      yield* home.fake.answer(FakeProvider.chat({ text: "Here I am." }))
      expect(yield* home.run(["run", "--session", id, "go on"], home.env)).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("a run that fails ends with one line on stderr and code 1, and prints no answer", () =>
    Effect.gen(function* () {
      const home = yield* setup()
      yield* home.fake.answer(FakeProvider.failure(400, { message: "no such\x1b[2J model" }))
      const { code, stderr, stdout } = yield* home.run(["run", "--quiet", "check it"], home.env)
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
      expect(stderr).toContain("skein: fake/m rejected the request (400): ")
      expect(stderr).not.toContain("\x1b")
      expect(Program.isOneLine(stderr)).toBe(true)
    })
  )
})
