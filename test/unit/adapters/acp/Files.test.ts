/** Tools of a session that an editor steers work on the editor's own files and terminals. */
import { type CreateTerminalRequest, RequestError } from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { readFile, symlink } from "node:fs/promises"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import * as TestWorkspace from "../tools/TestWorkspace.js"
import * as TestEditor from "./TestEditor.js"

const { methods } = TestEditor

const call = (name: string, input: object) => ({ name, input: JSON.stringify(input) })

const textOf = (update: unknown) => JSON.stringify(update)

/** Never answers. */
const never = (asked: Deferred.Deferred<void>) => () => {
  Deferred.unsafeDone(asked, Effect.void)
  return new Promise<never>(() => {})
}

describe("an editor's files", () => {
  it.scopedLive(
    "take precedence over those on disk, even unsaved; links out and binary files are never requested",
    () =>
      Effect.gen(function* () {
        const { at, base, workdir } = yield* TestWorkspace.make({
          "a.txt": "on disk\n",
          "b.bin": new Uint8Array([1, 0, 2]),
          "odd.txt": "odd\n"
        })
        yield* Effect.promise(() => symlink(`${base}/outside/secret.txt`, at("link.txt")))
        const buffers = new Map([[at("a.txt"), "not saved\n"]])
        const asked: Array<string> = []
        const editor = yield* TestEditor.open({
          capabilities: { fs: { readTextFile: true, writeTextFile: true } },
          handle: (app) =>
            app
              .onRequest(methods.client.fs.readTextFile, ({ params }) => {
                asked.push(`read ${params.path}`)
                const content = buffers.get(params.path)
                if (content === undefined) throw new RequestError(-32002, "not open")
                return { content }
              })
              .onRequest(methods.client.fs.writeTextFile, ({ params }) => {
                asked.push(`write ${params.path}`)
                buffers.set(params.path, params.content)
                return {}
              })
        })
        const { sessionId } = yield* editor.session(workdir)
        yield* editor.model.play(
          ScriptedModel.calls(call("read", { path: "a.txt" })),
          ScriptedModel.calls(call("edit", { path: "a.txt", oldText: "not saved", newText: "edited" })),
          ScriptedModel.calls(call("write", { path: "new/c.txt", content: "new\n" })),
          ScriptedModel.calls(call("read", { path: "odd.txt" })),
          ScriptedModel.calls(call("read", { path: "b.bin" })),
          ScriptedModel.calls(call("read", { path: "link.txt" })),
          ScriptedModel.calls(call("write", { path: "link.txt", content: "x" })),
          ScriptedModel.text("Done.")
        )
        yield* editor.prompt(sessionId, "Go")
        const [read, edited, written, odd, binary, ...outside] = TestEditor.results(editor.updates)
        expect(textOf(read)).toContain("not saved")
        expect(edited?.content).toMatchObject([
          { type: "diff", path: at("a.txt"), oldText: "not saved\n", newText: "edited\n" },
          {}
        ])
        expect(buffers.get(at("a.txt"))).toBe("edited\n")
        expect(textOf(written)).toContain("Created new/c.txt")
        expect(buffers.get(at("new/c.txt"))).toBe("new\n")
        expect(textOf(odd)).toContain("odd")
        expect(binary?.status).toBe("failed")
        expect(outside.map(({ status }) => status)).toEqual(["failed", "failed"])
        expect(asked.filter((one) => /link|bin/.test(one))).toEqual([])
        expect(yield* Effect.promise(() => readFile(at("a.txt"), "utf8"))).toBe("on disk\n")
      })
  )

  it.scopedLive("keep the line ends and the byte order mark that they have on disk, which editors do not show", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({
        "saved.txt": "\ufeffone\r\ntwo\r\n",
        "unsaved.txt": "one\r\ntwo\r\n",
        "mixed.txt": "one\r\ntwo\n"
      })
      const buffers = new Map([
        [at("saved.txt"), "one\ntwo\n"],
        [at("unsaved.txt"), "one\ntwo\nthree\n"],
        [at("mixed.txt"), "one\ntwo\n"]
      ])
      const editor = yield* TestEditor.open({
        capabilities: { fs: { readTextFile: true, writeTextFile: true } },
        handle: (app) =>
          app
            .onRequest(methods.client.fs.readTextFile, ({ params }) => ({ content: buffers.get(params.path) ?? "" }))
            .onRequest(methods.client.fs.writeTextFile, ({ params }) => {
              buffers.set(params.path, params.content)
              return {}
            })
      })
      const { sessionId } = yield* editor.session(workdir)
      const edit = (path: string) => call("edit", { path, oldText: "two\n", newText: "2\n" })
      yield* editor.model.play(
        ScriptedModel.calls(edit("saved.txt"), edit("unsaved.txt"), edit("mixed.txt")),
        ScriptedModel.text("Done.")
      )
      yield* editor.prompt(sessionId, "Go")
      expect([...buffers.values()]).toEqual(["\ufeffone\r\n2\r\n", "one\r\n2\r\nthree\r\n", "one\r\n2\n"])
    })
  )

  it.scopedLive(
    "are not edited where they are not UTF-8 on disk, whatever the editor shows; `write` replaces them",
    () =>
      Effect.gen(function* () {
        const { workdir } = yield* TestWorkspace.make({ "latin.txt": Buffer.from("caf\xe9\ntwo\n", "latin1") })
        const written: Array<string> = []
        const editor = yield* TestEditor.open({
          capabilities: { fs: { readTextFile: true, writeTextFile: true } },
          handle: (app) =>
            app
              .onRequest(methods.client.fs.readTextFile, () => ({ content: "caf\ufffd\ntwo\n" }))
              .onRequest(methods.client.fs.writeTextFile, ({ params }) => {
                written.push(params.content)
                return {}
              })
        })
        const { sessionId } = yield* editor.session(workdir)
        yield* editor.model.play(
          ScriptedModel.calls(call("edit", { path: "latin.txt", oldText: "two", newText: "2" })),
          ScriptedModel.calls(call("write", { path: "latin.txt", content: "coffee\n" })),
          ScriptedModel.text("Done.")
        )
        yield* editor.prompt(sessionId, "Go")
        const [edited, replaced] = TestEditor.results(editor.updates)
        expect(textOf(edited)).toContain("Cannot use latin.txt: it is not valid UTF-8 text")
        expect(replaced?.status).toBe("completed")
        expect(written).toEqual(["coffee\n"])
      })
  )

  it.scopedLive("stay unchanged when somebody has typed since the tool read them, or when the editor refuses", () =>
    Effect.gen(function* () {
      const { at, workdir } = yield* TestWorkspace.make({ "a.txt": "one\n", ".env": "KEY=1\n" })
      let reads = 0
      const editor = yield* TestEditor.open({
        capabilities: { fs: { readTextFile: true, writeTextFile: true } },
        handle: (app) =>
          app
            .onRequest(methods.client.fs.readTextFile, ({ params }) => {
              if (params.path === at(".env")) throw new RequestError(-32603, "private")
              return { content: reads++ === 0 ? "one\n" : "one typed\n" }
            })
            .onRequest(methods.client.fs.writeTextFile, () => {
              throw new RequestError(-32603, "read-only buffer")
            })
      })
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(
        ScriptedModel.calls(call("edit", { path: "a.txt", oldText: "one", newText: "two" })),
        ScriptedModel.calls(call("write", { path: "a.txt", content: "two\n" })),
        ScriptedModel.calls(call("read", { path: ".env" })),
        ScriptedModel.text("Done.")
      )
      yield* editor.prompt(sessionId, "Go")
      const [edited, written, secret] = TestEditor.results(editor.updates)
      expect(textOf(edited)).toContain("changed in the meantime")
      expect(textOf(written)).toContain("Cannot write a.txt: the editor refused (read-only buffer)")
      expect(textOf(secret)).toContain("Cannot read .env: the editor refused (private)")
      expect(yield* Effect.promise(() => readFile(at("a.txt"), "utf8"))).toBe("one\n")
    })
  )

  /** An editor that never answers the request of `read`, with a session in which the model calls `read`. */
  const silent = Effect.gen(function* () {
    const { workdir } = yield* TestWorkspace.make({ "a.txt": "one\n" })
    const asked = yield* Deferred.make<void>()
    const editor = yield* TestEditor.open({
      capabilities: { fs: { readTextFile: true } },
      handle: (app) => app.onRequest(methods.client.fs.readTextFile, never(asked))
    })
    const { sessionId } = yield* editor.session(workdir)
    yield* editor.model.play(ScriptedModel.calls(call("read", { path: "a.txt" })), ScriptedModel.text("Done."))
    return { asked, editor, sessionId }
  })

  it.scopedLive("fail the call when the editor disconnects before it answers", () =>
    Effect.gen(function* () {
      const { asked, editor, sessionId } = yield* silent
      yield* Effect.fork(Effect.ignore(Effect.tryPromise(() => editor.sent(sessionId, "Go"))))
      yield* Deferred.await(asked)
      yield* editor.leave
      expect(yield* editor.answers(sessionId)).toEqual([expect.stringContaining("the editor is gone")])
    })
  )

  it.scoped("fail the call when the editor does not answer within a minute", () =>
    Effect.gen(function* () {
      const { asked, editor, sessionId } = yield* silent
      const prompt = yield* Effect.fork(editor.prompt(sessionId, "Go"))
      yield* Deferred.await(asked)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(prompt)
      expect(yield* editor.answers(sessionId)).toEqual([expect.stringContaining("did not answer in time")])
    })
  )
})

describe("an editor's terminals", () => {
  it.scopedLive("run commands, stay visible, and are released when the command ends or is cancelled", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const told: Array<string> = []
      const waiting = yield* Deferred.make<void>()
      const created: Array<CreateTerminalRequest> = []
      const editor = yield* TestEditor.open({
        capabilities: { terminal: true },
        handle: (app) =>
          app
            .onRequest(methods.client.terminal.create, ({ params }) => {
              created.push(params)
              return { terminalId: `t${created.length}` }
            })
            .onRequest(methods.client.terminal.waitForExit, ({ params }) => {
              if (params.terminalId === "t1") return { exitCode: 3, signal: null }
              return never(waiting)()
            })
            .onRequest(methods.client.terminal.output, () => ({ output: "seen\n", truncated: false }))
            .onRequest(methods.client.terminal.release, ({ params }) => {
              told.push(`release ${params.terminalId}`)
              return {}
            })
      })
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(
        ScriptedModel.calls(call("shell", { command: "echo seen; exit 3" })),
        ScriptedModel.calls(call("shell", { command: "sleep 100" }))
      )
      const prompt = yield* Effect.fork(editor.prompt(sessionId, "Go"))
      yield* Deferred.await(waiting)
      yield* editor.until((update) => "status" in update && update.status === "completed")
      const shown = editor.updates.filter((update) => textOf(update).includes('"terminalId":"t1"'))
      expect(shown.map((update) => ("status" in update ? update.status : null))).toEqual([null, "completed"])
      expect(created[0]).toMatchObject({ cwd: workdir, args: ["-c", expect.stringContaining("echo seen; exit 3")] })
      expect(created[0]?.env).toContainEqual({ name: "TERM", value: "dumb" })
      expect(told).toEqual(["release t1"])
      yield* Effect.promise(() => editor.agent.notify(methods.agent.session.cancel, { sessionId }))
      expect(yield* Fiber.join(prompt)).toMatchObject({ stopReason: "cancelled" })
      expect(told).toEqual(["release t1", "release t2"])
      const [first] = yield* editor.answers(sessionId)
      expect(first).toBe("seen\n[exit code 3]")
    })
  )

  it.scoped("kill a command at its timeout", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make()
      const killed: Array<string> = []
      const waiting = yield* Deferred.make<void>()
      const editor = yield* TestEditor.open({
        capabilities: { terminal: true },
        handle: (app) =>
          app
            .onRequest(methods.client.terminal.create, () => ({ terminalId: "t" }))
            .onRequest(methods.client.terminal.waitForExit, never(waiting))
            .onRequest(methods.client.terminal.kill, ({ params }) => {
              killed.push(params.terminalId)
              return {}
            })
            .onRequest(methods.client.terminal.output, () => ({ output: "so far", truncated: true }))
            .onRequest(methods.client.terminal.release, () => ({}))
      })
      const { sessionId } = yield* editor.session(workdir)
      yield* editor.model.play(
        ScriptedModel.calls(call("shell", { command: "sleep 100", timeoutMs: 1000 })),
        ScriptedModel.text("Done.")
      )
      const prompt = yield* Effect.fork(editor.prompt(sessionId, "Go"))
      yield* Deferred.await(waiting)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(prompt)
      expect(killed).toEqual(["t"])
      expect(yield* editor.answers(sessionId)).toEqual([
        "[the beginning of the output is cut]\nso far\n[timed out after 1000 ms and was stopped]"
      ])
    })
  )
})
