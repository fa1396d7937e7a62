import { describe, expect, it } from "@effect/vitest"
import * as Ansi from "../../../../src/adapters/cli/terminal/Ansi.js"
import * as CallText from "../../../../src/adapters/cli/CallText.js"
import * as DemoReport from "../../../../src/adapters/cli/DemoReport.js"
import * as DemoScript from "../../../../src/adapters/cli/DemoScript.js"
import * as SessionTable from "../../../../src/adapters/cli/SessionTable.js"
import * as TranscriptText from "../../../../src/adapters/cli/TranscriptText.js"
import { AgentName } from "../../../../src/domain/AgentName.js"
import * as CallDisplay from "../../../../src/domain/CallDisplay.js"
import { CallId, type Entry, type Message } from "../../../../src/domain/Message.js"
import { RunId } from "../../../../src/domain/Run.js"
import * as Title from "../../../../src/domain/Title.js"
import { Cursor, Seq, SessionId } from "../../../../src/domain/Session.js"
import type { ListedSession } from "../../../../src/domain/SessionPage.js"
import * as Usage from "../../../../src/domain/Usage.js"
import type { Snapshot } from "../../../../src/services/gateway/Gateway.js"

const entry = (message: Message): Entry => ({
  seq: Seq.make(3),
  runId: RunId.make("run-1"),
  actor: null,
  at: 0,
  message
})

describe("Ansi", () => {
  it("colours lines, never their ends", () => {
    expect(Ansi.make(true).red("a\nb\n")).toBe("\x1b[31ma\x1b[39m\n\x1b[31mb\x1b[39m\n")
    expect(Ansi.make(true).dim("")).toBe("")
  })
})

describe("CallText", () => {
  it("is a call's tool and the values of its input, on one short line", () => {
    expect(CallText.summary("read", '{"path":"a b.txt","limit":3}')).toBe('read "a b.txt" 3')
    expect(CallText.summary("list", "{}")).toBe("list")
    expect(CallText.summary("read", '{"path":')).toBe('read {"path":')
    expect(CallText.summary("write", `{"path":"a","content":"${"x".repeat(500)}"}`).length).toBeLessThanOrEqual(72)
  })

  it("says why a call failed, also when the first line only introduces what is wrong", () => {
    const failed = (text: string) =>
      CallText.ended({ ansi: Ansi.none, columns: 80 }, { summary: "edit a", outcome: "invalid-input", millis: 1, text })
    const several = "The input of edit is not valid:\npath: is missing\nold: must be text"
    expect(failed(several)).toMatch(/\n {4}invalid-input The input of edit is not valid: path: is missing\n$/)
    expect(failed("No such file\nLook again")).toMatch(/\n {4}invalid-input No such file\n$/)
  })

  it("tells times as people read them", () => {
    expect([0, 999, 1000, 61_000].map(CallText.duration)).toEqual(["0 ms", "999 ms", "1.0 s", "1 min 1 s"])
  })
})

describe("DemoScript", () => {
  it("reads the files that say most, and no hidden or generated one", () => {
    const names = ["z.ts", ".env", "b.md", "photo.jpg", "package-lock.json", "package.json", "README.md", "yarn.lock"]
    expect(DemoScript.choose(names)).toEqual(["README.md", "package.json", "b.md"])
    expect(DemoScript.choose([])).toEqual([])
  })
})

describe("DemoReport", () => {
  const grep = { callId: "1", summary: "grep x" }
  const read = { callId: "2", summary: "read a" }
  const stored = [
    { ...grep, seq: 3 },
    { ...read, seq: 4 }
  ]

  it("shows both orders and says which was which", () => {
    const text = DemoReport.render(Ansi.none, 80, { finished: [read, grep], stored })
    expect(text).toMatch(/1\. read a +#3 grep x\n/)
    expect(text).toMatch(/2\. grep x +#4 read a\n/)
    expect(text).toContain("never change places")
  })

  it("is no wider than the terminal", () => {
    const long = { callId: "3", summary: `grep ${"x".repeat(60)}` }
    const [, ...lines] = DemoReport.render(Ansi.none, 40, { finished: [long], stored: [{ ...long, seq: 3 }] }).split(
      "\n"
    )
    expect(lines.slice(0, 2)).toEqual(["  finished           stored", "  1. grep xxxxxxxx…  #3 grep xxxxxxxxxx…"])
  })

  it("does not claim a difference where there was none", () => {
    expect(DemoReport.render(Ansi.none, 80, { finished: [grep, read], stored })).toContain("This time")
  })
})

const session: ListedSession = {
  activity: "idle",
  id: SessionId.make("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
  title: "A title of some length",
  named: false,
  owner: null,
  workdir: "/home/somebody/projects/a-folder-with-a-long-name",
  placement: null,
  parent: null,
  agent: null,
  model: null,
  metadata: {},
  usage: Usage.zero,
  head: 1,
  cursor: Cursor.make(1),
  createdAt: 0,
  updatedAt: 0
}
const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length))

describe("SessionTable", () => {
  it("shows sessions with a time that is in no calendar", () => {
    for (const updatedAt of [8_640_000_000_000_000, -8_640_000_000_000_001, Number.MAX_SAFE_INTEGER]) {
      expect(SessionTable.render(Ansi.none, [{ ...session, updatedAt }], 1)).toContain(`${updatedAt} ms`)
    }
    expect(SessionTable.moment(-62_167_219_200_000)).toMatch(/^-?\d+-\d\d-\d\d \d\d:\d\d$/)
  })

  it("fits into the columns that there are", () => {
    const whole = SessionTable.render(Ansi.none, [session], 1)
    expect(whole).toContain(session.workdir)
    for (const columns of [120, 108]) {
      const cut = SessionTable.render(Ansi.none, [session], 1, columns)
      expect(cut.split("\n")).toHaveLength(3)
      expect(widest(cut)).toBeLessThanOrEqual(columns)
    }
    for (const columns of [80, 40]) {
      const stacked = SessionTable.render(Ansi.none, [session], 3, columns)
      expect(stacked).toMatch(
        /^ses_a{26}\n {2}A title of some length\n {2}idle, 1 message, .*\n {2}\/home\/.*\n… and 2 more/
      )
      expect(widest(stacked)).toBeLessThanOrEqual(columns)
    }
  })

  it("has a column of agents when a session names one", () => {
    const named = { ...session, agent: AgentName.make("read-only") }
    const [heading, first, second] = SessionTable.render(Ansi.none, [session, named], 2).split("\n")
    expect(heading).toMatch(/ LAST ACTIVITY +AGENT +FOLDER$/)
    expect(first).toMatch(/:\d\d {2} {11}\/home/)
    expect(second).toMatch(/:\d\d {2}read-only {2}\/home/)
    const stacked = SessionTable.render(Ansi.none, [named], 1, 40)
    expect(stacked).toContain("\n  agent read-only\n")
    expect(widest(stacked)).toBeLessThanOrEqual(40)
  })
})

describe("what sessions cost", () => {
  const usage = { ...Usage.zero, steps: 2, inputTokens: 12_345, outputTokens: 400, costMicroUsd: 43_035 }

  it("is in the table when there is one that costs something", () => {
    const [heading, free, dear] = SessionTable.render(Ansi.none, [session, { ...session, usage }], 2).split("\n")
    expect(heading).toMatch(/ MESSAGES {2}COST {4}LAST ACTIVITY /)
    expect(free).toMatch(/ 1 {17}\d\d\d\d-/)
    expect(dear).toMatch(/ 1 {9}\$0\.043 {2}\d\d\d\d-/)
    const stacked = SessionTable.render(Ansi.none, [{ ...session, usage }], 1, 40)
    expect(stacked).toContain("\n  idle, 1 message, $0.043, ")
    expect(widest(stacked)).toBeLessThanOrEqual(40)
  })

  it("is in the heading of a transcript, with the tokens that are known", () => {
    expect(TranscriptText.heading(Ansi.none, session)).not.toContain("tokens")
    const heading = TranscriptText.heading(Ansi.none, { ...session, usage })
    expect(heading).toContain(" · 1 message · 12.3k tokens in, 400 out for $0.043 · created ")
    const unpriced = { ...session, usage: { ...usage, costMicroUsd: 0 } }
    expect(TranscriptText.heading(Ansi.none, unpriced)).toContain(" · 12.3k tokens in, 400 out · ")
  })
})

describe("TranscriptText", () => {
  it("shows a result by its first lines and says how many more there are", () => {
    const text = Array.from({ length: 30 }, (_, at) => `line ${at + 1}`).join("\n")
    const shown = TranscriptText.entry(
      Ansi.none,
      entry({ role: "tool", callId: CallId.make("c"), name: "read", outcome: "success", text })
    )
    expect(shown).toMatch(/^\n#3 read ✓\n {2}line 1\n/)
    expect(shown.endsWith("  line 12\n  … 18 more lines\n")).toBe(true)
  })

  it("shows what only a later version knows as such, each in one line", () => {
    const parts = [
      { type: "text" as const, text: "see" },
      { type: "hologram", depth: 3 }
    ]
    expect(TranscriptText.entry(Ansi.none, entry({ role: "user", parts }))).toBe(
      "\n#3 you\n  see\n  [hologram, unknown to this version of Skein]\n"
    )
    const other = { role: "other", unknownRole: "critic", stored: { role: "critic", text: "\x1b[2J" } } as const
    expect(TranscriptText.entry(Ansi.none, entry(other))).toBe("\n#3 [critic, unknown to this version of Skein]\n")
  })

  it("shows what an answer says, asks for, and where it broke off", () => {
    const shown = TranscriptText.entry(
      Ansi.none,
      entry({
        role: "assistant",
        parts: [
          { type: "reasoning", text: "hidden" },
          { type: "text", text: "one\n\ntwo" },
          { type: "call", callId: CallId.make("c"), name: "read", input: '{"path":"a"}' }
        ],
        model: { provider: "p", model: "m" },
        finish: "error",
        usage: Usage.unknown,
        partial: true
      })
    )
    expect(shown).toBe("\n#3 p/m\n  one\n\n  two\n  (the answer was cut off here)\n  → read a\n")
  })

  it("says what is still open, and how to go on after a crash", () => {
    const sessionId = SessionId.make("ses-1")
    const callId = CallId.make("c")
    const runId = RunId.make("run-1")
    const snapshot: Snapshot = {
      session: {
        id: sessionId,
        title: Title.untitled,
        named: false,
        owner: null,
        workdir: "/",
        placement: null,
        parent: null,
        agent: null,
        model: null,
        metadata: {},
        usage: Usage.zero,
        head: 2,
        cursor: Cursor.make(4),
        createdAt: 0,
        updatedAt: 0
      },
      cursor: Cursor.make(4),
      oldest: Cursor.make(1),
      run: {
        crashed: true,
        run: {
          id: runId,
          sessionId,
          state: "running",
          stopReason: null,
          detail: null,
          actor: null,
          metadata: {},
          output: null,
          usage: Usage.zero,
          cursor: Cursor.make(1),
          createdAt: 0,
          startedAt: 0,
          releasedAt: null,
          endedAt: null
        }
      },
      queued: [],
      batch: {
        calls: [
          {
            seq: Seq.make(3),
            index: 0,
            callId,
            name: "write",
            state: "pending",
            questionId: null,
            startedAt: null,
            display: CallDisplay.none
          }
        ],
        stored: []
      },
      questions: [],
      live: null
    }
    const text = TranscriptText.ending(Ansi.none, snapshot)
    expect(text).toContain("#3 write pending\n")
    expect(text).toContain("skein run --session ses-1 --resume")
  })
})
