import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Ansi from "../../../../../src/adapters/cli/terminal/Ansi.js"
import * as Bottom from "../../../../../src/adapters/cli/terminal/Bottom.js"
import * as Painter from "../../../../../src/adapters/cli/terminal/Painter.js"
import * as FakeTerminal from "./FakeTerminal.js"

const words = FastCheck.array(
  FastCheck.constantFrom("word ", "日本", "x".repeat(25), "e\u0301", "❤️", "\t", "\n", "end.\n", ""),
  { maxLength: 6 }
).map((parts) => parts.join(""))

const oneLine = words.map((text) => text.replace(/[\n\t]/g, ""))

const task = FastCheck.record({ text: oneLine, startedAt: FastCheck.constant(0) })

const bottoms = FastCheck.record({
  tasks: FastCheck.array(task, { maxLength: 5 }),
  status: FastCheck.option(task),
  question: FastCheck.option(
    FastCheck.record({
      subject: FastCheck.option(
        FastCheck.record({ title: oneLine, body: oneLine, hint: oneLine.map((text) => () => text) })
      ),
      prompt: oneLine,
      typed: FastCheck.option(oneLine)
    })
  )
})

const moves = FastCheck.array(
  FastCheck.oneof(
    FastCheck.record({ move: FastCheck.constant("write" as const), text: words }),
    FastCheck.record({ move: FastCheck.constant("insert" as const), text: oneLine }),
    FastCheck.record({ move: FastCheck.constant("change" as const), bottom: bottoms }),
    FastCheck.record({ move: FastCheck.constant("pass" as const), millis: FastCheck.nat(90) }),
    FastCheck.record({ move: FastCheck.constant("pause" as const) })
  ),
  { maxLength: 40 }
)

const size = { columns: 20, rows: 8 }

const start = (isShown = true, hidesCursor = true) => {
  let now = 1_000_000
  const terminal = FakeTerminal.make(size.columns, size.rows)
  const painter = Painter.make({
    ansi: Ansi.make(true),
    size: () => size,
    now: () => now,
    isShown: () => isShown,
    hidesCursor: () => hidesCursor
  })
  const sent: Array<string> = []
  const send = (text: string) => {
    sent.push(text)
    terminal.send(text)
  }
  return { terminal, painter, send, sent, pass: (millis: number) => void (now += millis), now: () => now }
}

/** The text without its line ends; a line that was broken has more of them. */
const joined = (rows: ReadonlyArray<string>) => rows.join("")

describe("Painter", () => {
  it.prop(
    "what was written stays, in its order; the bottom is below it; at the end it is gone",
    { moves },
    ({ moves }) => {
      const { now, painter, pass, send, terminal } = start()
      let written = ""
      let inserted = ""
      for (const step of moves) {
        if (step.move === "write") {
          written += step.text
          send(painter.write(step.text))
        } else if (step.move === "insert") {
          inserted += `<${step.text}>`
          send(painter.insert(`<${step.text}>\n`))
        } else if (step.move === "change") send(painter.change(step.bottom))
        else if (step.move === "pause") send(painter.pause())
        else pass(step.millis)
        send(painter.tick())

        const bottom = Bottom.layout(painter.bottom(), size, now()).rows.map(({ text }) => text)
        const rows = terminal.rows()
        const { isAtStart, row } = terminal.cursor()
        expect(isAtStart).toBe(true)
        expect(joined(rows.slice(row)).trimEnd()).toBe(joined(bottom).trimEnd())
      }
      send(painter.end())
      const rows = terminal.rows()
      expect(terminal.cursor()).toMatchObject({ isAtStart: true, isShown: true })
      const text = joined(rows)
      const plain = written.replaceAll("\n", "")
      if (inserted === "") expect(text).toBe(plain)
      else
        expect(Array.from(text).sort().join("")).toBe(
          Array.from(plain + inserted)
            .sort()
            .join("")
        )
    }
  )

  it("a finished line is sent whole: the terminal wraps it, and it can be copied", () => {
    const { painter, send, sent } = start()
    const line = "long ".repeat(12)
    send(painter.change({ status: { text: "waiting", startedAt: 0 } }))
    for (const word of line.split(/(?<= )/)) send(painter.write(word))
    send(painter.write("\n"))
    expect(sent.at(-1)).toContain(`${line}\n`)
  })

  it("a line that has no room at the bottom is not lost", () => {
    const { painter, send, terminal } = start()
    send(painter.write("abcdefghij".repeat(40)))
    send(painter.change({ status: { text: "waiting", startedAt: 1_000_000 } }))
    expect(joined(terminal.rows().slice(0, -1))).toBe("abcdefghij".repeat(40))
    expect(terminal.rows().at(-1)).toBe("  ⠋ waiting")
  })

  it("writes nothing but the text where the bottom is not shown", () => {
    const { painter, send, sent } = start(false)
    send(painter.change({ status: { text: "waiting", startedAt: 0 } }))
    send(painter.write("one\ntw"))
    send(painter.tick())
    send(painter.write("o\n"))
    send(painter.end())
    expect(sent.join("")).toBe("one\ntwo\n")
  })

  it("sends nothing when nothing has changed", () => {
    const { painter, pass } = start()
    painter.change({ status: { text: "waiting", startedAt: 0 } })
    expect(painter.tick()).toBe("")
    pass(100)
    expect(painter.tick()).toContain("⠙")
  })

  it("a line that grows fast is shown at the next tick", () => {
    const { painter, pass } = start()
    expect(painter.write("a")).toContain("a")
    expect(painter.write("b")).toBe("")
    pass(50)
    expect(painter.tick()).toContain("ab")
  })

  it("the cursor stays shown where whoever has the terminal may be gone without a word", () => {
    const { painter, send, terminal } = start(true, false)
    send(painter.change({ status: { text: "working", startedAt: 1_000_000 } }))
    expect(terminal.rows().join("")).toContain("working")
    expect(terminal.cursor()).toMatchObject({ isShown: true })
    send(painter.end())
    expect(terminal.cursor()).toMatchObject({ isAtStart: true, isShown: true })
  })
})
