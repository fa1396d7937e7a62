/** What a tool returns besides a text: what is kept of it, and who is shown it. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Schema, Stream } from "effect"
import { Gateway, Message, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { Gate } from "skein/testing"
import * as View from "../../../../src/domain/View.js"
import { assistant, call, result } from "../../../support/fixtures/messages.js"
import { pictures } from "../../../support/fixtures/pictures.js"
import { open, type Settings } from "./fixture.js"

const png = pictures["image/png"](3, 4)
const shot = { name: "shot.png", mediaType: "image/png", content: png }
const diff = { path: "a.ts", before: "one\n", after: "two\n" }

const giving = (output: unknown) =>
  Tool.make("give", { description: "gives", access: "read", input: {} }).handle(() => Effect.succeed(output))

/** A run of one call to a tool that returns this, and its result. */
const played = Effect.fnUntraced(function* (output: unknown, config: NonNullable<Settings["config"]> = {}) {
  const opened = yield* open({ tools: [giving(output)], config })
  const { begin, gateway, model, transcript } = opened
  yield* model.play(ScriptedModel.calls({ name: "give", input: {} }), ScriptedModel.text("thanks"))
  const ref = yield* begin("give")
  const { stopReason } = yield* gateway.await(ref)
  const result = (yield* transcript(ref.sessionId)).flatMap(({ message }) => (message.role === "tool" ? [message] : []))
  const requests = yield* model.requests
  return { ...opened, ref, stopReason, result: result[0], shown: requests[1]?.view ?? [], file: requests[1]?.file }
})

const resultsOf = (view: View.View) => view.flatMap((item) => (item.role === "tool" ? item.results : []))

describe("a result with parts", () => {
  it.scoped("keeps its files as assets, shows them to the model, and keeps the rest for programs and people", () =>
    Effect.gen(function* () {
      const output = Tool.result({ text: "a shot", json: { at: [1, null] }, files: [shot], diffs: [diff] })
      const { file, gateway, ref, result, shown } = yield* played(output)
      const [asset] = yield* gateway.assets(ref.sessionId)
      const part = { type: "file", assetId: asset?.id, mediaType: "image/png", name: "shot.png" }
      expect(result).toMatchObject({
        outcome: "success",
        text: "a shot",
        parts: [part, { type: "json", value: { at: [1, null] } }, { type: "diff", ...diff }]
      })
      expect(resultsOf(shown)).toMatchObject([{ text: "a shot", files: [part], isError: false }])
      expect(JSON.stringify(shown)).not.toMatch(/a\.ts|null/)
      if (asset === undefined || file === undefined) return expect.fail("nothing was kept")
      expect(yield* file(asset.id)).toEqual(png)
      const content = yield* Stream.runCollect(gateway.openAsset({ sessionId: ref.sessionId, assetId: asset.id }))
      expect(Chunk.toReadonlyArray(content)).toEqual([png])
    })
  )

  it.scoped("has no parts if the handler returns only a text or a value", () =>
    Effect.gen(function* () {
      for (const [output, text] of [
        ["done", "done"],
        [{ a: 1 }, '{"a":1}'],
        [Tool.result({ text: "done" }), "done"]
      ] as const) {
        const { ref: _, result } = yield* played(output)
        expect(result).toEqual({ role: "tool", callId: result?.callId, name: "give", outcome: "success", text })
      }
    })
  )

  it.scoped("names a file that cannot be kept, with the reason, and loses nothing else", () =>
    Effect.gen(function* () {
      const big = { name: "big.bin", mediaType: "application/x-big", content: new Uint8Array(101) }
      const files = [
        big,
        shot,
        { ...shot, name: "text.png", content: new TextEncoder().encode("no picture at all") },
        { ...shot, name: "odd", mediaType: "IMAGE" },
        { ...shot, name: "" }
      ]
      const output = Tool.result({ text: "five", files, diffs: [diff] })
      const { gateway, ref, result, stopReason } = yield* played(output, { limits: { assetBytes: 100 } })
      expect(stopReason).toBe("completed")
      expect(result?.text.split("\n")).toEqual([
        "five",
        expect.stringMatching(/^\[The file "big\.bin" was not kept: .*at most 100 bytes/),
        expect.stringMatching(/^\[The file "text\.png" was not kept: content: content of type image\/png/),
        expect.stringMatching(/^\[The file "odd" was not kept: mediaType/),
        expect.stringMatching(/^\[The file "" was not kept: name/)
      ])
      expect(result?.parts?.map(({ type }) => type)).toEqual(["file", "diff"])
      expect((yield* gateway.assets(ref.sessionId)).map(({ name }) => name)).toEqual(["shot.png"])
    })
  )

  it.scoped("is bounded in every part, and says in its text what was left out", () =>
    Effect.gen(function* () {
      const side = "é".repeat(32 * 1024)
      const files = Array.from({ length: 17 }, (_, at) => ({ name: `${at}`, mediaType: "text/plain", content: png }))
      const first = yield* played(
        Tool.result({
          text: "",
          json: "x".repeat(256 * 1024),
          files,
          diffs: [diff, { ...diff, path: "whole.ts", after: side }, { ...diff, path: "long.ts", after: `${side}x` }]
        })
      )
      expect(first.result?.text.split("\n")).toEqual([
        "[A result has 16 files at most; others were left out.]",
        "[The result's JSON was left out: at most 262144 bytes are kept, it has 262146 bytes.]",
        '[The diff of "long.ts" was left out: 65536 bytes a side are kept.]'
      ])
      expect(first.result?.parts?.map((part) => (Message.isDiff(part) ? part.path : part.type))).toEqual([
        ...files.slice(1).map(() => "file"),
        "a.ts",
        "whole.ts"
      ])
      const diffs = Array.from({ length: 33 }, (_, at) => ({ path: `${at}`, before: side, after: side }))
      const second = yield* played(Tool.result({ text: "many", diffs }))
      expect(second.result?.parts).toHaveLength(7)
      expect(second.result?.text).toContain('[The diff of "7" was left out: 1048576 bytes of such parts are kept.]')
      expect(second.result?.text).toContain("[A result has 32 diffs at most; others were left out.]")
    })
  )

  it.scoped("fits into a message of any limit: its parts are left out before its text", () =>
    Effect.gen(function* () {
      const text = "é".repeat(400)
      const output = Tool.result({ text, files: [shot], diffs: [{ ...diff, after: "x".repeat(450) }] })
      const { result, stopReason } = yield* played(output, { limits: { messageBytes: 1_200 } })
      expect(stopReason).toBe("completed")
      expect(result?.text).toBe(`${text}\n[The result's JSON and diffs were left out: the message would be too large.]`)
      expect(result?.parts?.map(({ type }) => type)).toEqual(["file"])
    })
  )

  it.scoped("keeps a long text as an asset next to its files", () =>
    Effect.gen(function* () {
      const output = Tool.result({ text: "x".repeat(200), files: [shot] })
      const { gateway, ref, result } = yield* played(output, { limits: { resultCharacters: 100 } })
      const assets = yield* gateway.assets(ref.sessionId)
      expect(assets.map(({ name }) => `${name}`).toSorted()).toEqual(["give.txt", "shot.png"])
      expect(result).toMatchObject({
        assetId: assets.find(({ name }) => name === "give.txt")?.id,
        parts: [{ type: "file", name: "shot.png" }]
      })
    })
  )

  it.scoped("that has circular JSON, or that is no result at all, does not harm the run", () =>
    Effect.gen(function* () {
      const circle: Record<string, unknown> = {}
      circle["self"] = circle
      const { result, stopReason } = yield* played(Tool.result({ text: "round", json: circle, diffs: [diff] }))
      expect(stopReason).toBe("completed")
      expect(result?.text).toBe(
        "round\n[The result's JSON was left out: at most 262144 bytes are kept, it has no JSON.]"
      )
      expect(result?.parts?.map(({ type }) => type)).toEqual(["diff"])
      const wrong = Tool.make("give", { description: "gives", access: "read", input: {} }).handle(() =>
        // A host without types can do this.
        Effect.sync(() => Tool.result({ text: "a", files: [Object.assign({}, shot, { content: "?" })] }))
      )
      const { begin, gateway, model, transcript } = yield* open({ tools: [wrong] })
      yield* model.play(ScriptedModel.calls({ name: "give", input: {} }), ScriptedModel.text("thanks"))
      const ref = yield* begin("give")
      expect((yield* gateway.await(ref)).stopReason).toBe("completed")
      expect((yield* transcript(ref.sessionId))[2]?.message).toMatchObject({
        outcome: "defect",
        text: expect.stringMatching(/^The tool broke: .*content/s)
      })
    })
  )

  it.scoped("names a file that was deleted in a later run, as it names those of users", () =>
    Effect.gen(function* () {
      const output = Tool.result({ text: "a shot", files: [shot] })
      const { gateway, model, ref, send } = yield* played(output)
      const { sessionId } = ref
      const [asset] = yield* gateway.assets(sessionId)
      if (asset === undefined) return expect.fail("nothing was kept")
      const ask = (files: Gateway.Send["files"]) =>
        Effect.gen(function* () {
          yield* model.play(ScriptedModel.text("so"))
          yield* gateway.await(yield* send(sessionId, "and?", { files }))
          const view = (yield* model.requests).at(-1)?.view ?? []
          const ofUsers = view.flatMap((item) => (item.role === "user" ? item.parts : []))
          return { ofUsers, result: resultsOf(view)[0] }
        })
      const before = yield* ask([{ assetId: asset.id, mediaType: asset.mediaType, name: "shot.png" }])
      expect(before.result).toMatchObject({ text: "a shot", files: [{ name: "shot.png" }] })
      yield* gateway.deleteAsset(sessionId, asset.id)
      const { ofUsers, result } = yield* ask([])
      const note = '[The file "shot.png" of type image/png was deleted.]'
      expect(result).toMatchObject({ text: `a shot\n${note}` })
      expect(result).not.toHaveProperty("files")
      expect(ofUsers).toContainEqual({ type: "text", text: note })
    })
  )

  for (const [when, steps, seen] of [
    ["before the model saw it", [["give", "wait"]], []],
    ["after the run has shown it", [["give"], ["wait"]], [{ text: "a shot", files: [{ name: "shot.png" }] }]]
  ] as const) {
    it.scoped(`names a file that was deleted ${when}, in the same run`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const wait = Tool.make("wait", { description: "waits", input: {} }).handle(() =>
          Effect.as(gate.pass("wait"), "waited")
        )
        const tools = [giving(Tool.result({ text: "a shot", files: [shot] })), wait]
        const { begin, gateway, model, seen: awaitEvent } = yield* open({ tools })
        const calls = steps.map((names) => ScriptedModel.calls(...names.map((name) => ({ name, input: {} }))))
        yield* model.play(...calls, ScriptedModel.text("thanks"))
        const ref = yield* begin("go")
        yield* gate.reached("wait")
        yield* awaitEvent(ref, "call.finished")
        const [asset] = yield* gateway.assets(ref.sessionId)
        if (asset === undefined) return expect.fail("nothing was kept")
        yield* gateway.deleteAsset(ref.sessionId, asset.id)
        yield* gate.open("wait")
        expect((yield* gateway.await(ref)).stopReason).toBe("completed")
        const given = (yield* model.requests).flatMap(({ view }) => resultsOf(view).slice(0, 1))
        expect(given.slice(0, -1)).toMatchObject(seen)
        expect(given.at(-1)).toMatchObject({ text: 'a shot\n[The file "shot.png" of type image/png was deleted.]' })
        expect(given.at(-1)).not.toHaveProperty("files")
      })
    )
  }

  it.scoped("of a transcript from elsewhere is kept as it is, and survives JSON", () =>
    Effect.gen(function* () {
      const { gateway, session, transcript } = yield* open()
      const { id } = yield* session()
      const parts = [
        { type: "diff", ...diff },
        { type: "json", value: [1] },
        { type: "hologram", depth: 3 },
        { type: "text", text: "of a later version" }
      ] as const
      const messages = [Message.userText("go"), assistant([call("call-1")]), result("call-1", "done", { parts })]
      yield* gateway.append(id, messages)
      const entries = yield* transcript(id)
      expect(entries[2]?.message).toMatchObject({ text: "done", parts })
      const asJson = Schema.parseJson(Schema.Array(Message.Entry))
      expect(yield* Schema.decode(asJson)(yield* Schema.encode(asJson)(entries))).toEqual(entries)
    })
  )

  it.scoped("with a malformed part of a known type is refused, naming the missing field", () =>
    Effect.gen(function* () {
      const message = { ...result("call-1", "done"), parts: [{ type: "diff", path: "a.ts" }] }
      const refused = yield* Effect.flip(Schema.decodeUnknown(Gateway.ForeignMessage)(message))
      expect(String(refused)).toContain("before")
    })
  )
})
