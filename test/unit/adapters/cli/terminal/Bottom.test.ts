import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Bottom from "../../../../../src/adapters/cli/terminal/Bottom.js"
import * as Columns from "../../../../../src/adapters/cli/terminal/Columns.js"
import * as TerminalText from "../../../../../src/adapters/cli/terminal/TerminalText.js"

/** Harmless texts on one line: narrow and wide characters, marks, emoji. */
const texts = FastCheck.array(
  FastCheck.oneof(
    FastCheck.string(),
    FastCheck.string({ unit: "binary" }),
    FastCheck.constantFrom(
      "日本語",
      "한국어",
      "é\u0301\u0302",
      "👩‍👩‍👧",
      "❤️",
      "🇩🇪",
      "ﬀ",
      "हिन्दी",
      "a b c d ",
      "x".repeat(90)
    )
  ),
  { maxLength: 12 }
).map((parts) => TerminalText.line(parts.join("")))

const lines = texts.map((text) => text.replaceAll("e", "\t"))

const now = 1_000_000

const task = FastCheck.record({ text: texts, startedAt: FastCheck.integer({ min: 0, max: now + 5_000 }) })

const seeAll = (leftOut: number) => `${leftOut} left out; type a to see everything`

const bottoms: FastCheck.Arbitrary<Bottom.Bottom> = FastCheck.record({
  line: lines,
  tasks: FastCheck.array(task, { maxLength: 12 }),
  status: FastCheck.option(task),
  question: FastCheck.option(
    FastCheck.record({
      subject: FastCheck.option(FastCheck.record({ title: texts, body: texts, hint: FastCheck.constant(seeAll) })),
      prompt: texts,
      typed: FastCheck.option(texts)
    })
  )
})

const sizes = FastCheck.record({
  columns: FastCheck.integer({ min: 2, max: 90 }),
  rows: FastCheck.integer({ min: 1, max: 30 })
})

/** How many columns a row takes in a terminal with `columns` columns; a tab never goes beyond the last column. */
const columnsOf = (row: string, columns: number): number =>
  row
    .split(/(\t)/)
    .reduce(
      (at, part) => (part === "\t" ? Math.max(at, Math.min(at + 8 - (at % 8), columns - 1)) : at + Columns.width(part)),
      0
    )

const rowsOf = (layout: Bottom.Layout) => layout.rows.map(({ text }) => text)

const ask = (body: string): Bottom.Question => ({
  subject: { title: "shell wants to run with this input:", body, hint: seeAll },
  prompt: "y = allow once, n = deny: ",
  typed: ""
})

describe("Bottom", () => {
  it.prop(
    "is never wider than the terminal, and leaves it a row",
    { bottom: bottoms, size: sizes },
    ({ bottom, size }) => {
      const layout = Bottom.layout(bottom, size, now)
      expect(layout.rows.length).toBeLessThanOrEqual(Math.max(1, size.rows - 1))
      for (const row of [...layout.above, ...rowsOf(layout)]) {
        expect(row).not.toMatch(/[\n\r\x1b]/)
        expect(columnsOf(row, size.columns)).toBeLessThanOrEqual(size.columns)
      }
    }
  )

  it.prop("loses nothing of the line that is being written", { line: lines, size: sizes }, ({ line, size }) => {
    const layout = Bottom.layout({ ...Bottom.empty, line }, size, now)
    expect([...layout.above, ...rowsOf(layout)].join("")).toBe(line)
  })

  it.prop("always shows the prompt's end when there is room", { bottom: bottoms, size: sizes }, ({ bottom, size }) => {
    const layout = Bottom.layout(bottom, size, now)
    const isOpen = bottom.question !== null && bottom.question.typed !== null
    expect(layout.rows.filter(({ hasCursor }) => hasCursor)).toHaveLength(isOpen ? 1 : 0)
    if (isOpen) expect(layout.rows.at(-1)?.hasCursor).toBe(true)
  })

  it("shows what runs with its seconds, then the question, each where it fits", () => {
    const bottom: Bottom.Bottom = {
      line: "half a sen",
      tasks: [
        { text: "grep TODO", startedAt: now - 3_400 },
        { text: `shell ${"x".repeat(60)}`, startedAt: now - 83_000 },
        { text: "read a.txt", startedAt: now }
      ],
      status: { text: "waiting for the model", startedAt: now - 1_000 },
      question: ask('{"command":"echo one"}')
    }
    expect(rowsOf(Bottom.layout(bottom, { columns: 40, rows: 24 }, now))).toEqual([
      "half a sen",
      "  shell wants to run with this input:",
      '  {"command":"echo one"}',
      "  ⠋ grep TODO  3 s",
      `  ⠋ shell ${"x".repeat(17)}…  1 min 23 s`,
      "  ⠋ read a.txt",
      "  ⠋ waiting for the model  1 s",
      "  y = allow once, n = deny: "
    ])
  })

  it("says how many more are running", () => {
    const tasks = Array.from({ length: 30 }, (_, at) => ({ text: `call ${at}`, startedAt: now }))
    const rows = rowsOf(Bottom.layout({ ...Bottom.empty, tasks }, { columns: 40, rows: 9 }, now))
    expect(rows).toEqual(["  ⠋ call 0", "  ⠋ call 1", "  ⠋ call 2", "  … 27 more running"])
  })

  it("leaves out the middle of what is asked, and says so", () => {
    const body = `BEGIN${"x".repeat(100_000)}END`
    const rows = rowsOf(Bottom.layout({ ...Bottom.empty, question: ask(body) }, { columns: 40, rows: 11 }, now))
    expect(rows).toHaveLength(10)
    expect(rows[0]).toBe("  shell wants to run with this input:")
    expect(rows[1]).toMatch(/^ {2}BEGINx+$/)
    const shown = [1, 2, 3, 4, 7, 8].reduce((sum, at) => sum + (rows[at] ?? "").trim().length, 0)
    expect(rows.slice(5, 7)).toEqual([`  [… ${100_008 - shown} left out; type a to see`, "  everything …]"])
    expect(rows[8]).toMatch(/^ {2}x+END$/)
  })

  it("wraps the prompt at its blanks", () => {
    const prompt = "y = allow once, s = allow for this session, n = deny: "
    const question = { subject: null, prompt, typed: "y" }
    expect(rowsOf(Bottom.layout({ ...Bottom.empty, question }, { columns: 40, rows: 24 }, now))).toEqual([
      "  y = allow once, s = allow for this",
      "  session, n = deny: y"
    ])
  })

  it("never cuts a pair in two", () => {
    const question = ask("😀".repeat(900))
    for (const columns of [40, 41, 42, 43]) {
      for (const rows of [9, 12, 15, 18]) {
        const shown = rowsOf(Bottom.layout({ ...Bottom.empty, question }, { columns, rows }, now))
        expect(shown.join("")).not.toMatch(/\p{Surrogate}/u)
      }
    }
  })

  it("keeps room for the cursor after a blank", () => {
    const question = { subject: null, prompt: `${"x".repeat(25)} word word `, typed: "" }
    const rows = rowsOf(Bottom.layout({ ...Bottom.empty, question }, { columns: 20, rows: 12 }, now))
    expect(rows).toEqual([`  ${"x".repeat(17)}`, "  xxxxxxxx word", "  word "])
    const full = { subject: null, prompt: `${"x".repeat(17)} `, typed: "" }
    expect(rowsOf(Bottom.layout({ ...Bottom.empty, question: full }, { columns: 20, rows: 12 }, now))).toEqual([
      `  ${"x".repeat(17)}`
    ])
  })

  it("wraps at tabs as a terminal does", () => {
    const { rows } = Bottom.layout({ ...Bottom.empty, line: "a\tb\t\tcd" }, { columns: 12, rows: 24 }, now)
    expect(rows.map(({ text }) => text)).toEqual(["a\tb\t\tc", "d"])
  })
})
