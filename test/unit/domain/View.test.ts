import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { AssetId } from "../../../src/domain/Asset.js"
import * as Batch from "../../../src/domain/Batch.js"
import { callsOf, isText, type Message, userText } from "../../../src/domain/Message.js"
import * as SafeText from "../../../src/domain/SafeText.js"
import * as Transcript from "../../../src/domain/Transcript.js"
import { Seq } from "../../../src/domain/Session.js"
import * as View from "../../../src/domain/View.js"
import { assistant, call, result } from "../../support/fixtures/messages.js"
import { complaints, stringsIn } from "../../support/verdicts/providerRules.js"
import { anyEntries, entriesOf, settledEntries } from "../../support/fixtures/transcripts.js"
import { all, options, results, view } from "../../support/fixtures/views.js"

const entries = FastCheck.oneof(settledEntries, anyEntries)

const frozen = <A>(value: A): A => {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}

const partsOf = (item: View.ViewItem | undefined) => (item?.role === "tool" ? item.results : (item?.parts ?? []))
const assistantParts = (view: View.View) => view.flatMap((item) => (item.role === "assistant" ? item.parts : []))
describe("View", () => {
  it.prop(
    "P4 always sendable: whatever transcript is given, a provider accepts its view",
    [entries, options],
    ([entries, options]) => {
      expect(complaints(View.make(entries, options))).toEqual([])
    }
  )

  it.prop("P1 one order: results are in call order, each batch whole", [settledEntries], ([entries]) => {
    const stored = entries.flatMap(({ message }) =>
      message.role === "tool" ? [SafeText.wellFormed(message.text).trim()] : []
    )
    const batches = entries.flatMap(({ message }) => (callsOf(message).length > 0 ? [callsOf(message).length] : []))
    const shown = View.make(entries, all)
    expect(results(shown).map(({ text }, at) => text.trim().startsWith(stored[at] ?? "none"))).toEqual(
      stored.map(() => true)
    )
    expect(shown.flatMap((item) => (item.role === "tool" ? [item.results.length] : []))).toEqual(batches)
  })

  it.prop(
    "stored entries are not modified, and the same entries give the same view",
    [entries, options],
    ([entries, options]) => {
      const before = structuredClone(entries)
      const first = View.make(frozen(entries), options)
      expect(View.make(entries, options)).toEqual(first)
      expect(entries).toEqual(before)
    }
  )

  it.prop(
    "nothing is deleted to repair a transcript: every result and every user text is shown",
    [anyEntries],
    ([entries]) => {
      const said = stringsIn(View.make(entries, all)).join("\n")
      for (const { message } of entries) {
        const texts =
          message.role === "tool"
            ? [message.text]
            : message.role === "user"
              ? message.parts.flatMap((part) => (isText(part) ? [part.text] : []))
              : []
        for (const text of texts.filter((text) => text.trim() !== "")) expect(said).toContain(SafeText.wellFormed(text))
      }
    }
  )

  it.prop(
    "P4 always sendable: an open batch looks as if its calls had been closed",
    [anyEntries, options],
    ([entries, options]) => {
      const settled = Transcript.isSendable(entries) ? entries : []
      const asked = [...settled.map(({ message }) => message), assistant([call("z1"), call("z2")])]
      const closed = [...asked, ...["z1", "z2"].map((id) => Batch.closing({ ...call(id), state: "pending" }))]
      expect(View.make(entriesOf(asked), options)).toEqual(View.make(entriesOf(closed), options))
    }
  )

  it("a message of a role that only a later version knows is left out, wherever it stands", () => {
    const other = { role: "other", unknownRole: "critic", stored: { role: "critic", text: "boo" } } as const
    const last = assistant([{ type: "text", text: "yes" }])
    const messages: ReadonlyArray<Message> = [userText("hi"), assistant([call("c1")]), result("c1", "done"), last]
    for (const at of [0, 1, 3, 4]) expect(view(messages.toSpliced(at, 0, other))).toEqual(view(messages))
    expect(view([other])).toEqual(view([]))
  })

  describe("for a vendor", () => {
    it.prop("reasoning and metadata of other vendors are left out", [settledEntries], ([entries]) => {
      const parts = assistantParts(View.make(entries, { ...all, provider: "other" }))
      expect(parts.filter((part) => part.type === "reasoning" || "providerMetadata" in part)).toEqual([])
    })

    const providerMetadata = { anthropic: { signature: "s" } }
    const message = assistant([
      { type: "reasoning", text: "hm", providerMetadata },
      { type: "text", text: "yes", providerMetadata },
      call("c1", { providerMetadata })
    ])

    it("its own reasoning and metadata go back as they came", () => {
      expect(assistantParts(view([message]))).toEqual([
        { type: "reasoning", text: "hm", providerMetadata },
        { type: "text", text: "yes", providerMetadata },
        { type: "call", id: "c1", name: "read", input: {}, providerMetadata }
      ])
      expect(assistantParts(view([message], { provider: "openai" }))).toEqual([
        { type: "text", text: "yes" },
        { type: "call", id: "c1", name: "read", input: {} }
      ])
    })

    it("another of its models gets the metadata of calls, but neither reasoning nor other metadata", () => {
      expect(assistantParts(view([message], { model: "n" }))).toEqual([
        { type: "text", text: "yes" },
        { type: "call", id: "c1", name: "read", input: {}, providerMetadata }
      ])
    })

    it("reasoning that the provider refused is left out, and later reasoning goes back", () => {
      const shown = assistantParts(
        view([userText("hi"), message, result("c1", "done"), message, result("c1", "done")], {
          reasoningAfter: Seq.make(2)
        })
      )
      expect(shown.map(({ type }) => type)).toEqual(["text", "call", "reasoning", "text", "call"])
      expect(shown.map((part) => "providerMetadata" in part)).toEqual([false, true, true, true, true])
    })

    it("trailing reasoning is left out, and so is a message of nothing but reasoning", () => {
      const reasoning = { type: "reasoning" as const, text: "hm" }
      expect(assistantParts(view([assistant([reasoning, { type: "text", text: "yes" }, reasoning])]))).toEqual([
        reasoning,
        { type: "text", text: "yes" }
      ])
      expect(view([userText("hi"), assistant([reasoning])])).toEqual(view([userText("hi")]))
    })
  })

  describe("call ids", () => {
    const idsOf = (messages: ReadonlyArray<Message>) =>
      assistantParts(view(messages)).flatMap((part) => (part.type === "call" ? [part.id] : []))

    it("are the provider's own, for the call and its result", () => {
      const shown = view([userText("hi"), assistant([call("c1", { providerCallId: "toolu_1" })]), result("c1", "done")])
      expect(shown.slice(1)).toEqual([
        { role: "assistant", parts: [{ type: "call", id: "toolu_1", name: "read", input: {} }] },
        { role: "tool", results: [{ id: "toolu_1", name: "read", text: "done", isError: false }] }
      ])
    })

    it.each(["", "has blank", "é", "x".repeat(65), "constructor", "__proto__"])(
      "are ours when a provider might refuse its own (%j)",
      (providerCallId) => {
        expect(idsOf([assistant([call("c1", { providerCallId })])])).toEqual(["c1"])
      }
    )

    it("are ours when an earlier call has the provider's id; the earlier one keeps it", () => {
      const step = (id: string) => [assistant([call(id, { providerCallId: "call_0" })]), result(id, "done")]
      expect(idsOf([...step("c1"), ...step("c2")])).toEqual(["call_0", "c2"])
      expect(idsOf(step("c1"))).toEqual(["call_0"])
    })

    it("stay unique when one call's own id is another's provider id", () => {
      expect(idsOf([assistant([call("c1", { providerCallId: "c2" }), call("c2")])])).toEqual(["c2", "c2_2"])
    })

    it("use the next free number, and stay within the length that providers accept", () => {
      const long = "x".repeat(64)
      const ids = idsOf([
        assistant([
          call("c1", { providerCallId: long }),
          call("c2", { providerCallId: `${"x".repeat(50)}_2` }),
          call(long)
        ])
      ])
      expect(ids).toEqual([long, `${"x".repeat(50)}_2`, `${"x".repeat(50)}_3`])
    })
  })

  it.each([
    ["", "unnamed"],
    ["no such tool", "no_such_tool"],
    ["x".repeat(300), "x".repeat(64)],
    ["constructor", "constructor_"],
    ["__proto__", "__proto___"]
  ])("a made-up tool name is sent as a name that providers accept (%j)", (name, sent) => {
    const shown = view([assistant([call("c1", { name })]), result("c1", "unknown", { name, outcome: "unknown-tool" })])
    expect(assistantParts(shown)).toMatchObject([{ name: sent }])
    expect(results(shown)).toMatchObject([{ name: sent, isError: true }])
  })

  it("input that is not an object is sent as an object", () => {
    expect(assistantParts(view([assistant([call("c1", { input: "{" }), call("c2", { input: "" })])]))).toMatchObject([
      { input: { _unparsed: "{" } },
      { input: {} }
    ])
  })

  it("every outcome except success is an error; a result without text says so", () => {
    const outcomes = [
      "success",
      "failure",
      "defect",
      "timeout",
      "invalid-input",
      "denied",
      "interrupted",
      "never-started"
    ] as const
    const shown = view([
      assistant(outcomes.map((outcome) => call(outcome))),
      ...outcomes.map((outcome) => result(outcome, outcome === "success" ? "" : outcome, { outcome }))
    ])
    expect(results(shown).map(({ isError }) => isError)).toEqual(outcomes.map((outcome) => outcome !== "success"))
    expect(results(shown)[0]?.text).toBe("[no output]")
  })

  it("P4 always sendable: a call without a result gets one that says it was never started", () => {
    const shown = view([userText("hi"), assistant([call("c1"), call("c2")]), result("c1", "done")])
    expect(results(shown)).toMatchObject([
      { id: "c1", text: "done", isError: false },
      { id: "c2", isError: true, text: Batch.closing({ ...call("c2"), state: "pending" }).text }
    ])
  })

  it("a call's first result counts; another one is shown as text", () => {
    const shown = view([userText("hi"), assistant([call("c1")]), result("c1", "one"), result("c1", "two")])
    expect(results(shown).map(({ text }) => text)).toEqual(["one"])
    expect(stringsIn(shown.at(-1)).join("\n")).toContain("two")
  })

  it("a result whose call is missing is shown as text", () => {
    expect(view([userText("hi"), result("c1", "done")])).toMatchObject([
      { role: "user" },
      { role: "user", parts: [{ type: "text", text: expect.stringMatching(/read.*not in this conversation.*done/s) }] }
    ])
  })

  it("a partial message is sent as text, with a note that it was cut off", () => {
    const broken = assistant(
      [
        { type: "reasoning", text: "hm" },
        { type: "text", text: "I wi", providerMetadata: { anthropic: {} } }
      ],
      { partial: true }
    )
    expect(view([userText("hi"), broken])).toEqual([
      { role: "user", parts: [{ type: "text", text: "hi" }] },
      { role: "assistant", parts: [{ type: "text", text: "I wi" }] },
      { role: "user", parts: [{ type: "text", text: expect.stringMatching(/cut off/) }] }
    ])
    expect(view([userText("hi"), { ...broken, parts: [] }])).toEqual(view([userText("hi")]))
  })

  describe("a turn that the provider refused", () => {
    const refused = assistant([{ type: "text", text: "I can" }], { finish: "content-filter" })
    const turns = [userText("one"), assistant([call("c1")]), result("c1", "done"), refused, userText("two")]
    const leavesOutRefused = true

    it("is left out once another turn follows, if the provider would refuse it again", () => {
      expect(view(turns, { leavesOutRefused })).toEqual([
        { role: "user", parts: [{ type: "text", text: expect.stringMatching(/^\[.*refused/) }] },
        ...view([userText("two")])
      ])
      expect(view(turns)).toHaveLength(5)
      expect(view(turns.slice(0, -1), { leavesOutRefused })).toEqual(view(turns.slice(0, -1)))
    })

    it("stays if another provider refused it, or if it went on after all", () => {
      const elsewhere = { ...refused, model: { provider: "openai", model: "m" } }
      for (const last of [elsewhere, assistant([{ type: "text", text: "yes" }])]) {
        const messages = [userText("one"), refused, last, userText("two")]
        expect(view(messages, { leavesOutRefused })).toEqual(view(messages))
      }
    })
  })

  it("parts of unknown types are left out; a user message without other parts keeps its place", () => {
    const audio = { type: "audio", samples: [1, 2] }
    expect(partsOf(view([{ role: "user", parts: [audio, { type: "text", text: "hi" }] }])[0])).toEqual([
      { type: "text", text: "hi" }
    ])
    expect(assistantParts(view([assistant([audio, { type: "text", text: "yes" }])]))).toEqual([
      { type: "text", text: "yes" }
    ])
    expect(view([{ role: "user", parts: [audio] }])).toMatchObject([{ role: "user", parts: [{ type: "text" }] }])
  })

  it("a deleted asset leaves a note that names it", () => {
    const assetId = AssetId.make("a1")
    const file = { type: "file" as const, assetId, mediaType: "image/png", name: "cat.png" }
    const messages: ReadonlyArray<Message> = [{ role: "user", parts: [file] }]
    expect(partsOf(view(messages)[0])).toEqual([file])
    expect(partsOf(view(messages, { missingAssets: new Set([assetId]) })[0])).toEqual([
      { type: "text", text: expect.stringMatching(/"cat\.png".*image\/png.*deleted/) }
    ])
  })

  describe("a result's files", () => {
    const file = { type: "file" as const, assetId: AssetId.make("a1"), mediaType: "image/png", name: "cat.png" }
    const more = [
      { type: "json" as const, value: { for: "programs" } },
      { type: "diff" as const, path: "for-people.ts", before: null, after: "for people" },
      { type: "hologram", of: "later versions" }
    ]
    const parts = [file, ...more]
    const shown = (message: ReturnType<typeof result>, options: Partial<View.Options> = {}) =>
      results(view([userText("hi"), assistant([call("c1")]), message], { showsResultFiles: true, ...options }))[0]

    it("are shown to a model that takes them, and no other parts are sent", () => {
      expect(shown(result("c1", "a cat", { parts }))).toEqual({
        id: "c1",
        name: "read",
        text: "a cat",
        files: [file],
        isError: false
      })
      expect(shown(result("c1", "", { parts }))).toMatchObject({ text: "[no text]", files: [file] })
      expect(shown(result("c1", "a cat", { parts: more }))).toEqual(shown(result("c1", "a cat")))
      expect(shown(result("c1", " ", { parts: more }))?.text).toBe("[no output]")
    })

    it("are named in the text where they are not shown", () => {
      const hidden = 'a cat\n[The file "cat.png" of type image/png is kept. You cannot see its content.]'
      const gone = 'a cat\n[The file "cat.png" of type image/png was deleted.]'
      const older = 'a cat\n[The file "cat.png" of type image/png is no longer shown.]'
      const message = result("c1", "a cat", { parts })
      for (const [text, options] of [
        [hidden, { showsResultFiles: false }],
        [gone, { missingAssets: new Set([file.assetId]) }],
        [gone, { missingAssets: new Set([file.assetId]), showsResultFiles: false }],
        [older, { filesAfter: Seq.make(2) }],
        [older, { resultFilesAfter: Seq.make(2) }],
        [older, { filesAfter: Seq.make(3), resultFilesAfter: Seq.make(1) }]
      ] as const) {
        expect(shown(message, options)).toEqual({ id: "c1", name: "read", text, isError: false })
      }
      expect(shown(message, { filesAfter: Seq.make(1), resultFilesAfter: Seq.make(1) })?.files).toEqual([file])
      expect(shown(result("c1", "a cat", { parts, outcome: "failure" }))).toMatchObject({ text: hidden, isError: true })
      expect(stringsIn(view([userText("hi"), message], { showsResultFiles: true })).join("\n")).toContain(hidden)
    })

    it("count with the text, and are only named once their result is shortened", () => {
      const messages = [userText("hi"), assistant([call("c1")]), result("c1", "a cat", { parts: [file, file] })]
      const whole = view(messages, { showsResultFiles: true })
      const named = view(messages, { showsResultFiles: true, filesAfter: Seq.make(2) })
      expect(View.characters(whole)).toBeGreaterThan(8_000)
      expect(View.characters(whole)).toBeLessThan(8_400)
      expect(View.files(whole)).toEqual([file, file])
      expect(view(messages, { showsResultFiles: true, maxCharacters: 8_000 })).toEqual(named)
      const later = [...messages, userText("so?")]
      expect(view(later, { showsResultFiles: true, maxCharacters: 8_000 })).toEqual(
        view(later, { showsResultFiles: true, filesAfter: Seq.make(2) })
      )
    })
  })

  it("the note on a deleted asset without a name gives its type", () => {
    const assetId = AssetId.make("a1")
    const messages: ReadonlyArray<Message> = [
      { role: "user", parts: [{ type: "file", assetId, mediaType: "image/png" }] }
    ]
    expect(partsOf(view(messages, { missingAssets: new Set([assetId]) })[0])).toEqual([
      { type: "text", text: "[The file of type image/png was deleted.]" }
    ])
  })

  it("blank texts are left out of a user message", () => {
    const parts = [" \n", "hi", ""].map((text) => ({ type: "text" as const, text }))
    expect(partsOf(view([{ role: "user", parts }])[0])).toEqual([{ type: "text", text: "hi" }])
  })

  it("neither begins nor ends with the assistant, nor lets it speak twice in a row", () => {
    const says = (text: string) => assistant([{ type: "text", text }])
    expect(view([says("1"), says("2")]).map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "user",
      "assistant",
      "user"
    ])
    expect(view([]).map(({ role }) => role)).toEqual(["user"])
  })
})
