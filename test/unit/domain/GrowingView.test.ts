import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as GrowingView from "../../../src/domain/GrowingView.js"
import { type Entry, userText } from "../../../src/domain/Message.js"
import { Seq } from "../../../src/domain/Session.js"
import * as TranscriptEnd from "../../../src/domain/TranscriptEnd.js"
import * as View from "../../../src/domain/View.js"
import * as ViewPiece from "../../../src/domain/ViewPiece.js"
import { assistant, call, result } from "../../support/fixtures/messages.js"
import { anyEntries, entriesOf, settledEntries } from "../../support/fixtures/transcripts.js"
import { shortTurns } from "../../support/fixtures/turns.js"
import { all, options as anyOptions } from "../../support/fixtures/views.js"

const anything = FastCheck.array(FastCheck.oneof(settledEntries, anyEntries), { maxLength: 4 }).map((parts) =>
  entriesOf(parts.flat().map(({ message }) => message))
)

const entries = FastCheck.oneof(anything, shortTurns)
const options = FastCheck.tuple(
  anyOptions,
  FastCheck.option(FastCheck.integer({ min: 200, max: 12_000 })),
  FastCheck.option(FastCheck.integer({ min: 1, max: 40 })),
  FastCheck.option(FastCheck.integer({ min: 1, max: 40 }))
).map(([options, maxCharacters, place, resultPlace]) => ({
  ...options,
  maxCharacters,
  reasoningAfter: place === null ? null : Seq.make(place),
  filesAfter: place === null ? null : Seq.make(place),
  resultFilesAfter: resultPlace === null ? null : Seq.make(resultPlace)
}))

/** Reads pages of the given sizes, beginning at the end, until they determine how the view begins. */
const read = (entries: ReadonlyArray<Entry>, sizes: ReadonlyArray<number>, options: View.Options) => {
  let end = TranscriptEnd.nothing
  let to = entries.length
  for (let page = 0; ; page++) {
    const from = Math.max(0, to - (sizes[page % sizes.length] ?? 1))
    end = TranscriptEnd.prepend(end, entries.slice(from, to), from === 0, options)
    to = from
    const turns = TranscriptEnd.startOf(end, options)
    if (turns !== null) return { left: to, view: GrowingView.make({ turns, beginning: 1 }, options) }
  }
}

const sizes = FastCheck.array(FastCheck.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 })

const longTurns = (turns: number) =>
  entriesOf(
    Array.from({ length: turns }, (_, at) => [
      userText(`question ${at}`),
      assistant([{ type: "reasoning", text: "x".repeat(20) }, call(`c${at}`)]),
      result(`c${at}`, "y".repeat(at % 7 === 0 ? 2_000 : 100)),
      assistant([{ type: "text", text: "answer" }])
    ]).flat()
  )

describe("GrowingView", () => {
  it.prop(
    "equals the view of the whole transcript, though only its end was read",
    [entries, sizes, options],
    ([entries, sizes, options]) => {
      expect(read(entries, sizes, options).view.view()).toEqual(View.make(entries, options))
    }
  )

  it.prop(
    "is the same when its pieces were made in advance, in any portions",
    [entries, sizes, sizes, options],
    ([entries, pages, portions, options]) => {
      const asked = { ...options, known: new WeakMap() }
      for (let from = 0, portion = 0; from < entries.length; portion++) {
        const to = from + (portions[portion % portions.length] ?? 1)
        ViewPiece.piecesOf(entries.slice(from, to), asked)
        from = to
      }
      expect(read(entries, pages, asked).view.view()).toEqual(View.make(entries, options))
    }
  )

  it.prop(
    "still equals the view of the whole transcript as it grows, in steps of any size",
    [entries, sizes, sizes, options],
    ([entries, pages, steps, options]) => {
      let to = Math.min(entries.length, 3)
      let { view } = read(entries.slice(0, to), pages, options)
      for (let step = 0; to < entries.length; step++) {
        const from = to
        to = Math.min(entries.length, from + (steps[step % steps.length] ?? 1))
        if (!view.add(entries.slice(from, to))) view = read(entries.slice(0, to), pages, options).view
        expect(view.view()).toEqual(View.make(entries.slice(0, to), options))
      }
    }
  )

  it("reads as much of a long transcript as of one ten times as long", () => {
    const options = { ...all, maxCharacters: 10_000 }
    const readOf = (turns: number) => turns * 4 - read(longTurns(turns), [16], options).left
    expect(readOf(200)).toBeLessThan(400)
    expect(Math.abs(readOf(2_000) - readOf(200))).toBeLessThan(32)
  })

  it("does not read the whole of an earlier turn that is far too long", () => {
    const long = Array.from({ length: 500 }, (_, at) => [
      assistant([call(`c${at}`)]),
      result(`c${at}`, "y".repeat(200))
    ])
    const entries = entriesOf([userText("long"), ...long.flat(), userText("short")])
    const options = { ...all, maxCharacters: 10_000 }
    const { left, view } = read(entries, [16], options)
    expect(left).toBeGreaterThan(800)
    expect(view.view()).toEqual(View.make(entries, options))
  })

  it("makes each piece of a long turn once, however small the pages that it is read in", () => {
    let looks = 0
    class Counted extends WeakMap<Entry, { readonly results: number; readonly piece: ViewPiece.Piece }> {
      override get(entry: Entry) {
        looks++
        return super.get(entry)
      }
    }
    const steps = Array.from({ length: 1_000 }, (_, at) => [assistant([call(`c${at}`)]), result(`c${at}`, "y")]).flat()
    const entries = entriesOf([userText("long"), ...steps, userText("short")])
    for (const maxCharacters of [null, 1_000_000]) {
      looks = 0
      read(entries, [16], { ...all, maxCharacters, known: new Counted() })
      expect(looks).toBe(1_000 + 2)
    }
  })

  it("is made in portions when there are many messages to join and show", () => {
    const entries = entriesOf(Array.from({ length: 4_000 }, () => userText("one")))
    const { turns } = TranscriptEnd.prepend(TranscriptEnd.nothing, entries, true, all)
    const pieces = [...GrowingView.making({ turns, beginning: 1 }, all)]
    expect(pieces.length).toBe(2 * 16)
  })

  it("shows no reasoning of earlier turns once the transcript's beginning is no longer read", () => {
    const entries = longTurns(80)
    const reasoningOf = (turns: number) =>
      View.make(entries.slice(0, turns * 4), { ...all, maxCharacters: 6_000 }).flatMap((item) =>
        item.role === "assistant" ? item.parts.filter(({ type }) => type === "reasoning") : []
      ).length
    expect(reasoningOf(6)).toBeGreaterThan(1)
    for (let turns = 50; turns <= 80; turns++) expect(reasoningOf(turns)).toBeLessThanOrEqual(1)
  })

  it("changes its beginning only rarely, and shows at least half of what fits when turns are short", () => {
    const options = { ...all, maxCharacters: 10_000 }
    const entries = longTurns(600)
    let changes = 0
    let before: View.View = []
    for (let turns = 60; turns <= 600; turns++) {
      const view = View.make(entries.slice(0, turns * 4), options)
      expect(View.characters(view)).toBeGreaterThan(5_000)
      expect(View.characters(view)).toBeLessThanOrEqual(10_000)
      if (JSON.stringify(view[0]) !== JSON.stringify(before[0])) changes++
      before = view
    }
    // The transcript grows by some 250 characters per turn: sixteen windows in all.
    expect(changes).toBeLessThan(16 * 8)
  })

  it("refuses to grow by a new turn, or by the result of a call that it shows", () => {
    const [user, asking, answer] = longTurns(1)
    const { view } = read(longTurns(1).slice(0, 2), [2], all)
    expect([[user], [answer], [asking], []].map((more) => view.add(more.flatMap((entry) => entry ?? [])))).toEqual([
      false,
      false,
      true,
      true
    ])
  })
})
