import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { AssetId } from "../../../src/domain/Asset.js"
import { type Entry, type Message, userText } from "../../../src/domain/Message.js"
import * as Transcript from "../../../src/domain/Transcript.js"
import * as View from "../../../src/domain/View.js"
import { assistant, call, result } from "../../support/fixtures/messages.js"
import { stringsIn } from "../../support/verdicts/providerRules.js"
import { entriesOf, settledEntries } from "../../support/fixtures/transcripts.js"
import { shortTurns } from "../../support/fixtures/turns.js"
import { all, options, results, view } from "../../support/fixtures/views.js"

const withoutLastNote = (view: View.View) =>
  JSON.stringify(view.at(-1)).includes("Continue.") ? view.slice(0, -1) : view

const startsWith = (view: View.View, start: View.View) =>
  JSON.stringify(view.slice(0, start.length)) === JSON.stringify(start)

const settledStarts = (entries: ReadonlyArray<Entry>) =>
  entries.map((_, index) => entries.slice(0, index)).filter(Transcript.isSendable)

/** The message, with its reasoning named after its place. */
const named = ({ message, seq }: Entry): Message =>
  message.role === "assistant"
    ? {
        ...message,
        parts: message.parts.map((part) => (part.type === "reasoning" ? { ...part, text: `${seq}` } : part))
      }
    : message

describe("View, as the transcript grows", () => {
  describe("stable", () => {
    it.prop("appending to a transcript leaves the view before it unchanged", [settledEntries], ([entries]) => {
      const whole = View.make(entries, all)
      for (const start of settledStarts(entries).slice(1)) {
        expect(startsWith(whole, withoutLastNote(View.make(start, all)))).toBe(true)
      }
    })

    it("in a full context, the beginning changes only occasionally", () => {
      const turn = (at: number): ReadonlyArray<Message> => [
        userText("go on"),
        ...[0, 1, 2, 3].flatMap((step) => [
          assistant([call(`c${at}-${step}`)]),
          result(`c${at}-${step}`, "x".repeat(2_000))
        ]),
        assistant([{ type: "text", text: "done" }])
      ]
      const entries = entriesOf(Array.from({ length: 40 }, (_, at) => turn(at)).flat())
      const options = { ...all, maxCharacters: 50_000 }
      const views = settledStarts(entries)
        .slice(1)
        .map((start) => View.make(start, options))
      const changes = views.slice(1).filter((view, index) => !startsWith(view, withoutLastNote(views[index] ?? [])))
      expect(views.length).toBe(240 - 1)
      expect(changes.length).toBeGreaterThan(5)
      expect(changes.length).toBeLessThan(View.characters(View.make(entries, all)) / (50_000 / 4))
      expect(views.every((view) => View.characters(view) <= 50_000)).toBe(true)
    })
  })

  describe("in a full context", () => {
    it.prop(
      "fits, or shows only the last turn with its results shortened",
      [FastCheck.oneof(settledEntries, shortTurns), FastCheck.integer({ min: 500, max: 30_000 })],
      ([entries, maxCharacters]) => {
        const shown = View.make(entries, { ...all, maxCharacters })
        if (View.characters(shown) > maxCharacters) {
          const last = Transcript.turns(entries).at(-1) ?? []
          expect(results(shown).length).toBe(last.filter(({ message }) => message.role === "tool").length)
          expect(results(shown).every(({ text }) => text.length <= 1_000)).toBe(true)
        }
      }
    )

    it.prop(
      "every item of the last turn is shown from its newest message on; only its results may be shortened",
      [settledEntries, options],
      ([entries, options]) => {
        const turn = Transcript.turns(entries).at(-1) ?? []
        const last = turn.slice(
          Math.max(
            turn.findLastIndex(({ message }) => message.role === "user"),
            0
          )
        )
        const shape = (view: View.View) =>
          view.map((item) =>
            item.role === "tool"
              ? item.results.map(({ name }) => name)
              : JSON.stringify(
                  item.role === "user"
                    ? item.parts
                    : item.parts.flatMap(({ type }) => (type === "reasoning" ? [] : [type]))
                )
          )
        const whole = shape(View.make(last, { ...options, maxCharacters: null }))
        expect(shape(View.make(entries, options)).slice(-whole.length)).toEqual(
          last.length === 0 ? expect.anything() : whole
        )
      }
    )

    it.prop(
      "reasoning is shown only after exactly what was shown when it was written",
      [FastCheck.oneof(settledEntries, shortTurns), FastCheck.integer({ min: 500, max: 30_000 })],
      ([generated, maxCharacters]) => {
        const options = { ...all, maxCharacters }
        const entries = generated.map((entry) => ({ ...entry, message: named(entry) }))
        const before = new Map(
          entries.map(({ seq }, index) => [`${seq}`, JSON.stringify(View.make(entries.slice(0, index), options))])
        )
        for (const start of [...settledStarts(entries), entries]) {
          const shown = View.make(start, options)
          shown.forEach((item, index) => {
            const reasoning =
              item.role === "assistant" ? item.parts.find(({ type }) => type === "reasoning") : undefined
            if (reasoning?.type !== "reasoning") return
            expect(before.get(reasoning.text)).toBe(JSON.stringify(shown.slice(0, index)))
          })
        }
      }
    )

    const turn = (id: string): ReadonlyArray<Message> => [
      userText(`question ${id}`),
      assistant([call(id)]),
      result(id, `${id}${"x".repeat(5_000)}`),
      assistant([{ type: "text", text: "answer" }])
    ]
    const texts = (maxCharacters: number) =>
      stringsIn(view([...turn("t1"), ...turn("t2"), ...turn("t3")], { maxCharacters }))

    it("no result becomes longer by being shortened", () => {
      for (let length = 790; length < 900; length++) {
        const messages = [userText("hi"), assistant([call("c1")]), result("c1", "x".repeat(length))]
        const [shown] = results(view(messages, { maxCharacters: 0 }))
        expect(shown?.text.length).toBeLessThanOrEqual(length)
      }
    })

    it("what Skein adds for the provider counts too", () => {
      const monologue = [
        userText("go"),
        ...Array.from({ length: 20 }, () => assistant([{ type: "text", text: "step" }]))
      ]
      const messages = Array.from({ length: 10 }, () => monologue).flat()
      for (let maxCharacters = 4_000; maxCharacters < 20_000; maxCharacters += 200) {
        expect(View.characters(view(messages, { maxCharacters }))).toBeLessThanOrEqual(maxCharacters)
      }
    })

    it.each([
      ["image/png", undefined, 4_000],
      ["image/png", 3_000_000, 4_000],
      ["application/zip", 3_000_000, 4_000],
      ["text/plain", undefined, 4_000],
      ["text/plain", 50, 50],
      ["application/json", 70_000, 70_000],
      ["text/csv", 3_000_000, 100_000],
      ["application/pdf", undefined, 4_000],
      ["application/pdf", 1_000, 6_000],
      ["application/pdf", 1_000_000, 60_000],
      ["application/pdf", 20_000_000, 300_000]
    ])("a file of type %s and %s bytes counts as %s characters", (mediaType, bytes, characters) => {
      const file = { type: "file" as const, assetId: AssetId.make("a1"), mediaType }
      const assetSizes = new Map(bytes === undefined ? [] : [[file.assetId, bytes]])
      const size = View.characters(view([{ role: "user", parts: [file] }], { assetSizes }))
      expect(size - characters).toBeGreaterThan(0)
      expect(size - characters).toBeLessThan(100)
    })

    it("first the oldest results are shortened, with a note of how much is missing", () => {
      const shown = texts(14_000).join("\n")
      expect(shown).toContain("question t1")
      expect(shown).toMatch(/t1x+\n\[… 4202 characters left out here …\]\nx+/)
      expect(shown).toMatch(/t3x{5000}/)
    })

    it("then the oldest turns are left out, with a note of how many messages are missing", () => {
      const shown = texts(6_500)
      expect(shown.join("\n")).not.toContain("question t1")
      expect(shown.join("\n")).toMatch(/t3x{5000}/)
      expect(shown).toContain("[Earlier messages left out to fit the context: 8.]")
    })

    it("a message that was too long is left out once another follows, and what came before it is shown again", () => {
      const long = "l".repeat(20_000)
      const answer = assistant([{ type: "text", text: "answer" }])
      const texts = (messages: ReadonlyArray<Message>) =>
        view(messages, { maxCharacters: 14_000 }).flatMap((item) =>
          item.role === "tool" ? [] : item.parts.flatMap((part) => (part.type === "text" ? [part.text] : []))
        )
      const shown = (...messages: ReadonlyArray<Message>) => texts([...turn("t1"), userText(long), ...messages])
      const before = texts(turn("t1")).slice(0, -1)
      const note = "[Messages left out here to fit the context: 1.]"
      expect(before).toEqual(["question t1", "answer"])
      expect(shown()).toEqual(["[Earlier messages left out to fit the context: 4.]", long])
      expect(shown(userText("sorry"))).toEqual([...before, note, "sorry"])
      expect(shown(userText("sorry"), answer)).toEqual([...before, note, "sorry", "answer", "Continue."])
      expect(shown(userText("sorry"), answer, userText("so?"))).toEqual([...before, note, "sorry", "answer", "so?"])
      expect(shown(answer, userText("so?"))).toEqual([...before, note, "answer", "so?"])
    })

    it("then the results of the last turn are shortened; its question stays", () => {
      const shown = texts(100).join("\n")
      expect(shown).toContain("question t3")
      expect(shown).toMatch(/t3x+\n\[… 4202 characters left out here …\]/)
    })
  })
})
