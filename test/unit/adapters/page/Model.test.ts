/** What the page derives from what it knows, without a browser: scales, rows, texts, changes, lists, addresses. */
import { describe, expect, it } from "@effect/vitest"
import * as CallInput from "../../../../src/adapters/page/model/CallInput.js"
import * as Heights from "../../../../src/adapters/page/model/Heights.js"
import * as LineDiff from "../../../../src/adapters/page/model/LineDiff.js"
import * as Offers from "../../../../src/adapters/page/model/Offers.js"
import * as Route from "../../../../src/adapters/page/model/Route.js"
import * as SafeLink from "../../../../src/adapters/page/model/SafeLink.js"
import * as Scale from "../../../../src/adapters/page/model/Scale.js"
import * as SessionList from "../../../../src/adapters/page/model/SessionList.js"
import * as Strands from "../../../../src/adapters/page/model/Strands.js"
import * as Visible from "../../../../src/adapters/page/model/Visible.js"
import * as Words from "../../../../src/adapters/page/model/Words.js"
import type { Listed } from "../../../../src/adapters/page/model/Wire.js"

const call = (seq: number, startedAt: number | null, endedAt: number | null, finished: number | null = null) => ({
  seq,
  runId: "r",
  step: 1,
  callId: `c${seq}`,
  name: "t",
  display: { kind: "other" as const, title: null, locations: [] },
  askedAt: 0,
  startedAt,
  endedAt,
  outcome: endedAt === null ? null : ("success" as const),
  finished,
  questionId: null,
  wasAsked: false
})

describe("lanes", () => {
  it("are drawn on the time in which calls ran; a long wait takes a sixth of that", () => {
    const scale = Scale.of([call(2, 0, 600), call(3, 100_600, 101_200)], 200_000)
    expect(scale.busy).toBe(1200)
    expect(scale.at(600)).toBeCloseTo(600 / 1400)
    expect(scale.at(100_600)).toBeCloseTo(800 / 1400)
    expect([scale.at(0), scale.at(101_200)]).toEqual([0, 1])
  })

  it("grow while a call runs, and stay within their track", () => {
    const scale = Scale.of([call(2, 0, 500), call(3, 0, null)], 1000)
    expect([scale.at(500), scale.at(1000)]).toEqual([0.5, 1])
    expect(Scale.of([call(2, null, null)], 1000).at(500)).toBe(0.5)
    expect(Scale.of([], 1000).at(5)).toBe(0)
  })

  it("know the order in which calls finished, and are sorted by either order", () => {
    const calls = [call(2, 0, 9, 30), call(3, 0, 5, 10), call(4, 0, null)]
    expect([...Strands.finishingOrder(calls)]).toEqual([
      [3, 1],
      [2, 2]
    ])
    expect(Strands.ordered(calls, "finished").map(({ seq }) => seq)).toEqual([3, 2, 4])
    expect(Strands.ordered(calls, "asked").map(({ seq }) => seq)).toEqual([2, 3, 4])
  })
})

describe("rows", () => {
  it("are found by their heights, measured or estimated", () => {
    const offsets = Heights.offsets(["a", "b", "c"], new Map([["b", 100]]), () => 10)
    expect([...offsets]).toEqual([0, 10, 110, 120])
    expect([0, 9, 10, 109, 110, 500].map((top) => Heights.indexAt(offsets, top))).toEqual([0, 0, 1, 1, 2, 2])
    expect(Heights.between(offsets, 15, 60, 0)).toEqual([1, 2])
    expect(Heights.between(offsets, 15, 60, 5)).toEqual([0, 3])
    expect(
      Heights.between(
        Heights.offsets([], new Map(), () => 10),
        0,
        60,
        5
      )
    ).toEqual([0, 0])
  })
})

describe("texts", () => {
  it("show hidden characters: controls, changes of direction, and characters without width", () => {
    const shown = (text: string) =>
      Visible.pieces(text)
        .map(({ hidden, text }) => (hidden ? `<${text}>` : text))
        .join("")
    expect(shown("rm \u202Efdp\u001b[2J\u200B\r\nnext\tline\u{E0041}")).toBe(
      "rm <U+202E>fdp<ESC>[2J<U+200B>\nnext\tline<U+E0041>"
    )
    expect(shown("a\rb")).toBe("a<U+000D>b")
    expect(shown("日本 é 👩🏽 العربية")).toBe("日本 é 👩🏽 العربية")
    const formed = "1 ❤️ 2, 1\uFE0F\u20E3 #\uFE0F\u20E3, 葛\u{E0100}城 \u{20000}\uFE00"
    expect(shown(formed)).toBe(formed)
    expect(Visible.line(formed)).toBe(formed)
    expect(shown("1\uFE0F 葛\uFE0F 葛\u{E0100}\u{E0101} a\u{E0100}\uFE0F\u20E3")).toBe(
      "1<U+FE0F> 葛<U+FE0F> 葛\u{E0100}<U+E0101> a<U+E0100><U+FE0F><U+20E3>"
    )
    const joined = "می\u200Cخواهم क्\u200Dष 👩🏽\u200D💻 🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}"
    expect(shown(joined)).toBe(joined)
    expect(Visible.line(joined)).toBe(joined)
    const ignorable = "\u034F\u115F\u1160\u17B4\u180B\uFE00\uFE0F\uFFA0\u{E0080}\u{E0FFF}\u{1D173}"
    expect(Visible.pieces(`rm${ignorable}`).slice(1)).toEqual(
      Array.from(ignorable, (character) => ({
        hidden: true,
        text: `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`
      }))
    )
    expect(Visible.line(`❤️ ${ignorable}a\u202E\n b\u0000 `)).toBe("❤️ a b")
    expect(Visible.withoutColours("\u001b[32mok\u001b[0m \u001b]0;t\u0007")).toBe("ok \u001b]0;t\u0007")
  })

  it("link only to http, https and mailto", () => {
    const safe = ["https://a.example/x?y#z", "http://a.example/", "mailto:a@b.example"]
    expect(safe.map(SafeLink.of)).toEqual(safe)
    const others = ["javascript:alert(1)", " java\nscript:alert(1)", "data:text/html,x", "/v1/sessions", "vbscript:x"]
    expect([...others, "file:///etc/passwd", "blob:x", "", `https://${"a".repeat(3000)}`].map(SafeLink.of)).toEqual(
      Array.from({ length: 9 }, () => null)
    )
  })

  it("of calls are shown whole: commands, changes and invalid JSON", () => {
    expect(CallInput.fields(`{"command":"ls","n":3}`)).toEqual([
      { kind: "code", name: "command", text: "ls" },
      { kind: "text", name: "n", text: "3" }
    ])
    expect(CallInput.fields(`{"path":"a","oldText":"1","newText":"2","all":true}`)).toEqual([
      { kind: "text", name: "path", text: "a" },
      { kind: "text", name: "all", text: "true" },
      { kind: "diff", before: "1", after: "2" }
    ])
    expect(CallInput.fields(`{"path":"a","content":"x","mode":"w"}`).map(({ kind }) => kind)).toEqual([
      "text",
      "text",
      "diff"
    ])
    expect(CallInput.fields("{half")).toEqual([{ kind: "code", name: "input", text: "{half" }])
  })

  it("that changed are shown as a diff, with three lines around each change", () => {
    const lines = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `${from + n}`)
    const before = [...lines(10), "old", ...lines(10, 20)].join("\n")
    const after = [...lines(10), "new", "newer", ...lines(10, 20)].join("\n")
    const diff = LineDiff.of(before, after)
    expect(diff.map(({ sign, text }) => sign + text)).toEqual([
      "…",
      " 7",
      " 8",
      " 9",
      "-old",
      "+new",
      "+newer",
      " 20",
      " 21",
      " 22",
      "…"
    ])
    expect(LineDiff.count(diff)).toEqual({ added: 2, removed: 1 })
    expect(LineDiff.of(null, "a\nb\n").map(({ sign, text }) => sign + text)).toEqual(["+a", "+b"])
    expect(LineDiff.of("a\nb\nc", "c\na\nb").map(({ sign, text }) => sign + text)).toEqual(["+c", " a", " b", "-c"])
    const far = LineDiff.of(lines(5000).join("\n"), lines(5000, 9000).join("\n"))
    expect(LineDiff.count(far)).toEqual({ added: 5000, removed: 5000 })
  })
})

describe("changes of line ends", () => {
  const shown = (before: string | null, after: string) =>
    LineDiff.of(before, after).map(({ end, sign, text }) => `${sign}${text}${end === null ? "" : ` <${end}>`}`)

  it("are shown where two texts differ in them", () => {
    expect(shown("a\nb\n", "a\nb")).toEqual([" a", "-b", "+b <no newline at the end>"])
    expect(shown("a", "a\n")).toEqual(["-a <no newline at the end>", "+a"])
    expect(shown("a\r\nb\r\n", "a\nb\n")).toEqual(["-a <CRLF>", "-b <CRLF>", "+a", "+b"])
    expect(shown("a\nb\nc\n", "a\nb\r\nc\n")).toEqual([" a", "-b", "+b <CRLF>", " c"])
    expect(shown(null, "a\r\nb")).toEqual(["+a <CRLF>", "+b <no newline at the end>"])
    expect(shown("a\n", "a\r")).toEqual(["-a", "+a\r <no newline at the end>"])
  })

  it("are not shown where both texts have the same", () => {
    expect(shown("a\r\nb\r\n", "a\r\nc\r\n")).toEqual([" a", "-b", "+c"])
    expect(shown("a\r\nb", "a\r\nb\r\nc")).toEqual([" a", " b", "+c"])
    expect(shown("a", "a\nb")).toEqual([" a", "+b"])
    expect(shown("a", "")).toEqual(["-a"])
    expect(shown("", "a")).toEqual(["+a"])
    expect(shown(null, "")).toEqual([])
    expect(shown("same\n", "same\n")).toEqual([" same"])
  })
})

describe("tokens", () => {
  it("of a session are counted, unknown where no step reported any, or none yet", () => {
    const of = (steps: number, unknownSteps: number, inputTokens: number) =>
      Words.tokens({ steps, unknownSteps, inputTokens, outputTokens: 0 })
    expect([of(0, 0, 0), of(2, 2, 0), of(2, 0, 1500), of(2, 1, 1500)]).toEqual([
      "no tokens yet",
      "tokens unknown",
      "1.5k tokens",
      "1.5k + tokens"
    ])
  })
})

describe("the list of sessions", () => {
  const usage = {
    steps: 0,
    unknownSteps: 0,
    inputTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    cachedInputTokens: 0,
    costMicroUsd: 0
  }
  const session = (id: string, updatedAt: number, cursor = 1): Listed => ({
    id,
    title: id,
    named: true,
    owner: null,
    workdir: null,
    placement: null,
    parent: null,
    agent: null,
    model: null,
    metadata: {},
    usage,
    head: 0,
    cursor,
    createdAt: 0,
    updatedAt,
    activity: "idle"
  })
  const idsOf = ({ sessions }: SessionList.SessionList) => sessions.map(({ id }) => id)
  const page = (next: string | null, ...sessions: ReadonlyArray<Listed>) => ({ sessions, damaged: [], next })

  it("ignores an older answer that comes late, and drops deleted sessions", () => {
    const list = SessionList.first(SessionList.empty, page("2", session("b", 20), session("a", 10)))
    const grown = SessionList.more(list, page(null, session("z", 1)))
    const hinted = SessionList.hint(grown, {
      kind: "run.started",
      sessionId: "a",
      cursor: 5,
      updatedAt: 30,
      activity: "running"
    })
    expect(idsOf(hinted)).toEqual(["a", "b", "z"])
    const told = SessionList.put(hinted, session("a", 40, 5))
    const late = SessionList.put(told, session("a", 10, 1))
    expect(late.sessions[0]).toMatchObject({ id: "a", updatedAt: 40 })
    expect(idsOf(SessionList.first(late, page("2", session("a", 40, 5), session("c", 2))))).toEqual(["a", "c", "z"])
    expect(idsOf(SessionList.hint(late, { kind: "session.deleted", sessionId: "b" }))).toEqual(["a", "z"])
  })
})

describe("addresses", () => {
  it("name a session and a place in it, or a sign-in code, and nothing else", () => {
    expect(Route.read("#/ses_1/12")).toEqual({ sessionId: "ses_1", seq: 12 })
    expect(Route.read("#/ses_1")).toEqual({ sessionId: "ses_1", seq: null })
    for (const other of ["", "#/", "#/../x", "#/a/0", "#/a/1/2", "#code=x", "#/%2e%2e"]) {
      expect(Route.read(other)).toEqual({ sessionId: null, seq: null })
    }
    expect(Route.code("#code=a%2Db")).toBe("a-b")
    expect(Route.code("#code=%E0%A4%A")).toBe("%E0%A4%A")
    expect(Route.code("#/code=a")).toBe(null)
  })
})

describe("a session's model", () => {
  const offered = (name: string, model: string) => ({
    name,
    about: null,
    standard: name === "one",
    models: [
      { provider: "p", model: "dear", standard: false, prices: null },
      { provider: "p", model, standard: true, prices: null }
    ]
  })
  const agents = [offered("one", "a"), offered("two", "b")]

  it("is its own, else its agent's, else the standard agent's", () => {
    const named = { provider: "q", model: "x/y" }
    for (const [session, model] of [
      [{ agent: null, model: null }, "p/a"],
      [{ agent: "two", model: null }, "p/b"],
      [{ agent: "two", model: named }, "q/x/y"],
      [{ agent: "gone", model: null }, undefined]
    ] as const) {
      const next = Offers.nextModel(agents, session)
      expect(next === undefined ? next : Offers.nameOf(next)).toBe(model)
    }
  })

  it("becomes the chosen one, and its other options stay", () => {
    const named = { provider: "q", model: "x/y" }
    const asked = { ...named, options: { temperature: 1, reasoningEffort: "low" as const } }
    expect(Offers.wantedOf({ agent: "two", model: asked })).toEqual({ agent: "two", model: "q/x/y", effort: "low" })
    expect(Offers.wantedOf({ agent: null, model: null })).toEqual(Offers.nothing)
    const wanted = { agent: "two", model: "", effort: "" } as const
    expect(Offers.modelWanted(agents, wanted, asked)).toBe(null)
    expect(Offers.modelWanted(agents, { ...wanted, model: "q/x/y" })).toEqual(named)
    const other = { ...wanted, model: " p/a ", effort: "max" } as const
    expect(Offers.modelWanted(agents, other, asked)).toEqual({
      provider: "p",
      model: "a",
      options: { temperature: 1, reasoningEffort: "max" }
    })
    const plain = { provider: "p", model: "a", options: { temperature: 1 } }
    expect(Offers.modelWanted(agents, { ...other, effort: "" }, asked)).toEqual(plain)
    // An effort without a model applies to the agent's usual model.
    const high = { provider: "p", model: "b", options: { reasoningEffort: "high" } }
    expect(Offers.modelWanted(agents, { ...wanted, effort: "high" })).toEqual(high)
    expect(Offers.modelWanted([], { ...wanted, effort: "high" })).toBe(null)
  })

  it("has its cost shown with three decimals, or two from $10", () => {
    const all = [0, 1, 499, 500, 8_085, 999_999, 9_999_499, 12_345_678].map(Words.cost)
    expect(all).toEqual(["", "< $0.001", "< $0.001", "$0.001", "$0.008", "$1.000", "$9.999", "$12.35"])
  })
})
