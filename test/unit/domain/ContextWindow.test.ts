import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as ContextWindow from "../../../src/domain/ContextWindow.js"

type Turns = ReadonlyArray<ReadonlyArray<ContextWindow.Piece>>

const piece: FastCheck.Arbitrary<ContextWindow.Piece> = FastCheck.tuple(
  FastCheck.integer({ min: 1, max: 50 }),
  FastCheck.array(FastCheck.integer({ min: 0, max: 100 }), { maxLength: 3 })
).map(([rest, savings]) => ({ size: rest + sum(savings), savings, isUsers: false }))

/** Messages of a user that begin a turn, some of them too long for any limit. */
const questions: FastCheck.Arbitrary<ReadonlyArray<ContextWindow.Piece>> = FastCheck.array(
  FastCheck.oneof(FastCheck.integer({ min: 1, max: 50 }), FastCheck.integer({ min: 1, max: 3_000 })),
  { maxLength: 3 }
).map((sizes) => sizes.map((size) => ({ size, savings: [], isUsers: true })))

const turn = FastCheck.tuple(questions, FastCheck.array(piece, { maxLength: 6 }))
  .map((parts) => parts.flat())
  .filter((pieces) => pieces.length > 0)
const turns: FastCheck.Arbitrary<Turns> = FastCheck.array(turn, { maxLength: 8 })
const limits = FastCheck.integer({ min: 10, max: 1_500 })

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)

/** The size of the note in the place of messages that are left out. */
const note = 7
const fit = (turns: Turns, limit: number) => ContextWindow.fit(turns, limit, note)
const shortSizeOf = (turn: ReadonlyArray<ContextWindow.Piece>, limit: number) =>
  ContextWindow.shortSizeOf(turn, limit, note)

/** The size of what is shown. */
const sizeOf = (turns: Turns, cut: ContextWindow.Cut): number => {
  const before = turns.slice(0, cut.turns).flatMap((turn) => turn.flatMap(({ savings }) => savings)).length
  const left = turns.map((_, index) => (index < cut.turns ? 0 : (cut.messages.get(index) ?? 0)))
  const shown = turns.flatMap((turn, index) => (index < cut.turns ? [] : turn.slice(left[index])))
  const savings = shown.flatMap((piece) => piece.savings).slice(0, Math.max(0, cut.results - before))
  return sum(shown.map(({ size }) => size)) - sum(savings) + note * left.filter((count) => count > 0).length
}

/** The stages of the conversation as it grew, piece by piece. */
const growth = (turns: Turns): ReadonlyArray<Turns> =>
  turns.flatMap((turn, index) => turn.map((_, last) => [...turns.slice(0, index), turn.slice(0, last + 1)]))

/** How many messages are left out of a turn. */
const leftOf = ({ messages }: ContextWindow.Cut, turn = 0) => messages.get(turn) ?? 0

const questionsOf = (turn: ReadonlyArray<ContextWindow.Piece> = []) => turn.filter(({ isUsers }) => isUsers).length

/** What is never left out of a turn, even if it is the last one, and has no savings. */
const plain = (size: number): ContextWindow.Piece => ({ size, savings: [], isUsers: false })

const resultsBefore = (turns: Turns, count: number) =>
  turns.slice(0, count).flatMap((turn) => turn.flatMap(({ savings }) => savings)).length

describe("ContextWindow", () => {
  it.prop("a conversation that fits is shown whole", [turns], ([turns]) => {
    expect(fit(turns, sizeOf(turns, ContextWindow.whole))).toEqual(ContextWindow.whole)
  })

  it.prop(
    "a conversation is cut until it fits, or until only the last turn is left, with its results shortened",
    [turns, limits],
    ([turns, limit]) => {
      const cut = fit(turns, limit)
      if (sizeOf(turns, cut) > limit) {
        expect(cut).toMatchObject({ turns: turns.length - 1, results: resultsBefore(turns, turns.length) })
      }
    }
  )

  it.prop(
    "the last turn and its newest message stay; no turn is left out before the results of all earlier turns are shortened",
    [turns, limits],
    ([turns, limit]) => {
      const cut = fit(turns, limit)
      expect(cut.turns === 0 || cut.turns < turns.length).toBe(true)
      const left = (turn: number) => cut.messages.get(turn) ?? 0
      const questions = turns.map(questionsOf)
      expect(left(turns.length - 1)).toBeLessThan(Math.max(questions.at(-1) ?? 0, 1))
      questions.forEach((count, turn) => expect(left(turn)).toBeLessThanOrEqual(count))
      expect(cut.results).toBeGreaterThanOrEqual(resultsBefore(turns, cut.turns))
      let leftOut = 0
      for (const grown of growth(turns)) {
        const { results, turns } = fit(grown, limit)
        if (turns > leftOut) expect(results).toBeGreaterThanOrEqual(resultsBefore(grown, grown.length - 1))
        leftOut = turns
      }
    }
  )

  it.prop(
    "what was cut stays cut as the conversation grows, unless messages of the user are left out",
    [turns, limits],
    ([turns, limit]) => {
      const cuts = growth(turns).map((turns) => fit(turns, limit))
      for (const [index, cut] of cuts.slice(1).entries()) {
        const before = cuts[index] ?? ContextWindow.whole
        for (const [turn, left] of before.messages) expect(cut.messages.get(turn)).toBeGreaterThanOrEqual(left)
        if (sum([...cut.messages.values()]) > sum([...before.messages.values()])) continue
        expect(cut.turns).toBeGreaterThanOrEqual(before.turns)
        expect(cut.results).toBeGreaterThanOrEqual(before.results)
      }
    }
  )

  it.prop(
    "the conversation is cut as if messages that are left out had never been there",
    [turns, limits],
    ([turns, limit]) => {
      const { messages, results, turns: cutTurns } = fit(turns, limit)
      const without = turns.map((turn, index) => {
        const left = messages.get(index) ?? 0
        const rest = turn.slice(left).map((piece) => ({ ...piece, isUsers: false }))
        return left > 0 ? [plain(note), ...rest] : rest
      })
      expect(fit(without, limit)).toMatchObject({ turns: cutTurns, results })
    }
  )

  it.prop(
    "nothing more is cut while the conversation with its earlier cuts still fits",
    [turns, limits],
    ([turns, limit]) => {
      let before = ContextWindow.whole
      for (const grown of growth(turns)) {
        const cut = fit(grown, limit)
        if (sizeOf(grown, before) <= limit) expect(cut).toEqual(before)
        before = cut
      }
    }
  )

  it.prop(
    "messages that begin the last turn are left out until they fit, or until the newest is left; the same whatever came before them, and none once the turn has an answer",
    [turns, questions, turn, limits],
    ([before, questions, answer, limit]) => {
      const left = leftOf(fit([questions], limit))
      if (sum(questions.slice(left).map(({ size }) => size)) > limit) expect(questions.length - left).toBe(1)
      const last = [...questions, ...answer.filter(({ isUsers }) => !isUsers)]
      expect(leftOf(fit([...before, last], limit), before.length)).toBe(left)
    }
  )

  it.prop(
    "the next turn leaves out the newest message of the turn before if that alone is too long, and no other",
    [turns, turn, turn, limits],
    ([before, turn, next, limit]) => {
      const left = leftOf(fit([turn], limit))
      const newest = turn.filter(({ isUsers }) => isUsers)[left]
      const isTooLong = newest !== undefined && newest.size > limit
      expect(leftOf(fit([...before, turn, next], limit), before.length)).toBe(isTooLong ? left + 1 : left)
    }
  )

  it.prop(
    "the short size of a turn is what it has once the next one began, and grows with it",
    [turn, limits],
    ([turn, limit]) => {
      const { messages } = fit([turn, [plain(1)]], limit)
      const results = resultsBefore([turn], 1)
      expect(shortSizeOf(turn, limit)).toBe(sizeOf([turn], { turns: 0, messages, results, pieces: 0 }))
      for (let from = 0; from <= turn.length; from++) {
        expect(ContextWindow.leastSizeOf(turn.slice(from))).toBeLessThanOrEqual(shortSizeOf(turn, limit))
      }
    }
  )

  it("cuts are rare: each makes room for a while", () => {
    const turn = Array.from({ length: 10 }, () => ({ ...plain(10), savings: [8] }))
    const turns = Array.from({ length: 100 }, () => turn)
    const cuts = growth(turns).map((turns) => fit(turns, 1_000))
    const changes = cuts
      .slice(1)
      .filter((cut, index) => cut.turns !== cuts[index]?.turns || cut.results !== cuts[index]?.results)
    expect(changes.length).toBeGreaterThan(1)
    expect(changes.length).toBeLessThan(50)
  })

  it("cuts back to seven tenths of the limit and no further", () => {
    const turns = Array.from({ length: 12 }, () => [plain(10)])
    expect(fit(turns.slice(0, 10), 100)).toEqual(ContextWindow.whole)
    expect(fit(turns.slice(0, 11), 100)).toMatchObject({ turns: 4, results: 0 })
    expect(fit(turns, 100)).toMatchObject({ turns: 4, results: 0 })
    const results = [{ ...plain(120), savings: Array.from({ length: 12 }, () => 10) }]
    expect(fit([results], 100)).toMatchObject({ turns: 0, results: 5 })
  })

  it("reports how many pieces there were at the last cut", () => {
    const turn = [plain(10)]
    const turns = Array.from({ length: 12 }, () => turn)
    expect(fit(turns.slice(0, 10), 100).pieces).toBe(0)
    expect(fit(turns.slice(0, 11), 100).pieces).toBe(11)
    expect(fit(turns, 100).pieces).toBe(11)
  })

  it("leaves earlier turns out if shortening them is enough but makes little room", () => {
    const earlier = (saving: number) => [{ ...plain(100), savings: [saving] }]
    expect(fit([earlier(10), [plain(85)]], 180)).toMatchObject({ turns: 1, results: 1 })
    expect(fit([earlier(40), [plain(85)]], 180)).toMatchObject({
      turns: 0,
      results: 1
    })
  })

  it("shortens earlier turns first, then leaves them out, then shortens the last turn", () => {
    const turn = [plain(10), { ...plain(90), savings: [40, 40] }]
    expect(fit([turn, turn], 199)).toMatchObject({ turns: 0, results: 2 })
    expect(fit([turn, turn], 180)).toMatchObject({ turns: 0, results: 2 })
    expect(fit([turn, turn], 110)).toMatchObject({ turns: 1, results: 2 })
    expect(fit([turn, turn], 90)).toMatchObject({ turns: 1, results: 3 })
    expect(fit([turn, turn], 10)).toMatchObject({ turns: 1, results: 4 })
  })

  describe("messages that begin the last turn", () => {
    const question = (size: number) => ({ ...plain(size), isUsers: true })
    const earlier = [question(10), plain(10)]
    const cutOf = (...last: ReadonlyArray<ContextWindow.Piece>) => {
      const { messages, turns } = fit([earlier, last], 100)
      return { turns, left: messages.get(1) ?? 0 }
    }

    it("are left out only for a newer one, and the earlier turns come back", () => {
      expect(cutOf(question(500))).toEqual({ turns: 1, left: 0 })
      expect(cutOf(question(500), question(10))).toEqual({ turns: 0, left: 1 })
      expect(cutOf(question(20), question(500), question(10))).toEqual({ turns: 0, left: 2 })
      expect(cutOf(question(20), question(20), question(75))).toEqual({ turns: 1, left: 2 })
      expect(cutOf(question(50), question(40))).toEqual({ turns: 1, left: 0 })
      expect(cutOf(question(50), question(40), plain(50))).toEqual({ turns: 1, left: 0 })
    })

    it("and that were left out stay so, with a note, while the rest of the turn is shown like any other", () => {
      const answered = [question(500), question(10), plain(10)]
      const left = new Map([[0, 1]])
      expect(fit([answered, [question(10)]], 100)).toMatchObject({ turns: 0, messages: left })
      expect(fit([answered, [question(100 - 20 - note)]], 100)).toMatchObject({ turns: 0, messages: left })
      expect(fit([answered, [question(100 - 20 - note + 1)]], 100)).toMatchObject({ turns: 1 })
    })

    it("and that one alone exceeded the limit are left out once the next turn begins, not before", () => {
      const answered = [question(500), plain(10)]
      expect(fit([earlier, answered], 100)).toMatchObject({ turns: 1, messages: new Map() })
      expect(fit([earlier, answered, [question(10)]], 100)).toMatchObject({
        turns: 0,
        messages: new Map([[1, 1]]),
        pieces: 4
      })
    })

    it("and that are left out leave the earlier turns as they were cut before", () => {
      const turns = Array.from({ length: 12 }, () => [plain(10)])
      const before = fit(turns, 100)
      expect(before).toMatchObject({ turns: 4, pieces: 11 })
      expect(fit([...turns, [question(500)]], 100)).toMatchObject({ turns: 12, pieces: 13 })
      expect(fit([...turns, [question(500), question(1)]], 100)).toEqual({ ...before, messages: new Map([[12, 1]]) })
    })
  })

  describe("begin", () => {
    const sizes = FastCheck.array(FastCheck.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 })
    const turnsOf = (sizes: ReadonlyArray<number>) =>
      sizes.map((shortSize, index) => ({ first: index * 4 + 1, shortSize }))
    const behind = (sizes: ReadonlyArray<number>, index: number) => sum(sizes.slice(index))

    it.prop(
      "is known once enough was read, and stays the same however much more is read",
      [sizes, limits],
      ([sizes, limit]) => {
        const turns = turnsOf(sizes)
        const end = sizes.length * 4 + 1
        const whole = ContextWindow.begin(turns, end, limit)
        expect(whole === null).toBe(sum(sizes) <= 1.5 * limit)
        for (let read = 1; read < sizes.length; read++) {
          const part = ContextWindow.begin(turns.slice(-read), end, limit)
          if (part !== null) expect(part + sizes.length - read).toBe(whole)
          expect(part === null).toBe(behind(sizes, sizes.length - read) <= 1.5 * limit)
        }
      }
    )

    it.prop(
      "is followed by at most one and a half limits, and by more than one if the turn before it allows that",
      [sizes, limits],
      ([sizes, limit]) => {
        const index = ContextWindow.begin(turnsOf(sizes), sizes.length * 4 + 1, limit)
        if (index === null) return
        expect(behind(sizes, index)).toBeLessThanOrEqual(1.5 * limit)
        if (behind(sizes, index) <= limit) expect(behind(sizes, index - 1)).toBeGreaterThan(1.5 * limit)
      }
    )

    it.prop("only moves on as the conversation grows", [sizes, limits], ([sizes, limit]) => {
      let before = 0
      for (let count = 1; count <= sizes.length; count++) {
        const index = ContextWindow.begin(turnsOf(sizes.slice(0, count)), count * 4 + 1, limit) ?? 0
        expect(index).toBeGreaterThanOrEqual(before)
        before = index
      }
    })

    it("is the same turn for many turns", () => {
      const found = new Set<number>()
      for (let count = 200; count < 1_200; count++) {
        const index = ContextWindow.begin(turnsOf(Array.from({ length: count }, () => 1)), count * 4 + 1, 100)
        found.add(index ?? 0)
      }
      expect(found.size).toBeLessThanOrEqual(1_000 / 32 + 2)
    })
  })
})
