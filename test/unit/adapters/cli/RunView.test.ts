import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Ansi from "../../../../src/adapters/cli/terminal/Ansi.js"
import * as RunView from "../../../../src/adapters/cli/RunView.js"
import { AssetId } from "../../../../src/domain/Asset.js"
import * as CallDisplay from "../../../../src/domain/CallDisplay.js"
import { CallId, type Message } from "../../../../src/domain/Message.js"
import { RunId } from "../../../../src/domain/Run.js"
import { Cursor, Seq, SessionId } from "../../../../src/domain/Session.js"
import type { SessionEvent } from "../../../../src/domain/SessionEvent.js"
import * as Usage from "../../../../src/domain/Usage.js"

const sessionId = SessionId.make("ses-1")
const runId = RunId.make("run-1")
const durable = { sessionId, runId, cursor: Cursor.make(1), at: 0, actor: null }
const ephemeral = { sessionId, runId, after: Cursor.make(1), seq: Seq.make(2) }

const text = (offset: number, text: string): SessionEvent => ({ type: "text.delta", ...ephemeral, offset, text })

const assistant = (text: string, ...calls: ReadonlyArray<string>): Message => ({
  role: "assistant",
  parts: [
    { type: "text", text },
    ...calls.map((name) => ({
      type: "call" as const,
      callId: CallId.make(name),
      name,
      input: `{"path":"${name}.txt"}`
    }))
  ],
  model: { provider: "script", model: "m" },
  finish: "stop",
  usage: Usage.unknown
})

const appended: SessionEvent = { type: "message.appended", ...durable, seq: Seq.make(2), role: "assistant" }

const started = (name: string, at: number): SessionEvent => ({
  type: "call.started",
  ...durable,
  at,
  callId: CallId.make(name),
  seq: Seq.make(3),
  name,
  display: CallDisplay.none
})

const finished = (name: string, at: number): SessionEvent & { readonly type: "call.finished" } => ({
  type: "call.finished",
  ...durable,
  at,
  callId: CallId.make(name),
  seq: Seq.make(3),
  name,
  outcome: "success",
  display: CallDisplay.none
})

const play = (...events: ReadonlyArray<readonly [SessionEvent, Message?]>) =>
  events.reduce(
    ({ output, view }, [event, message]) => {
      const [more, next] = RunView.next(view, event, message ?? null)
      return { output: output + more, view: next }
    },
    { output: "", view: RunView.make({ ansi: Ansi.none, columns: 80 }) }
  )

describe("RunView", () => {
  it("tells of an event that only a later version knows, in one line", () => {
    const event: SessionEvent = { type: "other", unknownType: "run.painted", ...durable, seq: null }
    expect(play([text(0, "one")], [event], [text(3, "two")]).output).toBe(
      "one\n  [run.painted, unknown to this version of Skein]\ntwo"
    )
  })

  it("says that a run waits for its turn, until it starts", () => {
    const { output, view } = play([{ type: "run.queued", ...durable }])
    expect([output, RunView.work(view).status]).toEqual(["", "waiting for its turn"])
    const [, begun] = RunView.next(view, { type: "run.started", ...durable }, null)
    expect(RunView.work(begun).status).toBe("waiting for the model")
  })

  it("shows a text as it comes and ends its line", () => {
    const { output } = play([text(0, "Hel")], [text(3, "lo.")], [appended, assistant("Hello.")])
    expect(output).toBe("Hello.\n")
  })

  it.prop(
    "shows each step's whole text once, whatever part of it came as deltas",
    { whole: FastCheck.string(), seen: FastCheck.array(FastCheck.nat(40)) },
    ({ seen, whole }) => {
      const places = [0, ...seen.filter((at) => at <= whole.length).sort((a, b) => a - b)]
      const deltas = places.slice(1).map((to, at) => {
        const from = places[at] ?? 0
        return [text(from, whole.slice(from, to))] as const
      })
      const late = [text(0, whole.slice(0, places.at(-1)))] as const
      const { output } = play(...deltas, late, [appended, assistant(whole)])
      expect(output).toBe(whole === "" || whole.endsWith("\n") ? whole : `${whole}\n`)
    }
  )

  it("shows calls as they end, with what they are and how long they took", () => {
    const { output, view } = play(
      [appended, assistant("", "slow", "fast")],
      [started("slow", 100)],
      [started("fast", 100)],
      [finished("fast", 112)]
    )
    expect(output).toMatch(/^ {2}✓ fast fast\.txt +12 ms\n$/)
    expect(RunView.work(view)).toEqual({ tasks: [{ text: "slow slow.txt", startedAt: 100 }], status: "" })
    const [rest] = RunView.next(view, finished("slow", 1600), null)
    expect(rest).toMatch(/^ {2}✓ slow slow\.txt +1\.5 s\n$/)
  })

  it("shows of a call which files it changed and gave, each on a line, harmless for the terminal", () => {
    expect(RunView.wants(finished("write", 5))).toBe(3)
    const parts = [
      { type: "file", assetId: AssetId.make("ast-1"), mediaType: "image/png", name: "a\x1b[2J.png" },
      { type: "file", assetId: AssetId.make("ast-2"), mediaType: "image/png" },
      { type: "diff", path: "src/\x1b[2J.ts", before: "one\ntwo\nthree\n", after: "one\n2\n2.5\nthree\n" },
      { type: "json", value: "for programs" }
    ] as const
    const { output } = play(
      [appended, assistant("", "write")],
      [
        finished("write", 5),
        { role: "tool", callId: CallId.make("write"), name: "write", outcome: "success", text: "ok", parts }
      ]
    )
    expect(output).toBe("  ✓ write write.txt\n    src/␛[2J.ts +2 -1\n    [file ast-1 a␛[2J.png]\n    [file ast-2]\n")
  })

  it("shows a call's progress while it runs", () => {
    const progress: SessionEvent = { type: "call.progress", ...ephemeral, callId: CallId.make("slow"), text: "3 of 9" }
    const { view } = play([appended, assistant("", "slow")], [started("slow", 1)], [progress])
    expect(RunView.work(view).tasks).toEqual([{ text: "slow slow.txt (3 of 9)", startedAt: 1 }])
  })

  it("says of a call that did not succeed what came of it, harmless for the terminal", () => {
    const denied: SessionEvent = { ...finished("write", 5), outcome: "denied" }
    expect(RunView.wants(denied)).toBe(3)
    const { output } = play(
      [appended, assistant("", "write")],
      [
        denied,
        { role: "tool", callId: CallId.make("write"), name: "write", outcome: "denied", text: "\n no\x1b[2J\nmore" }
      ]
    )
    expect(output).toBe("  ✗ write write.txt\n    denied  no␛[2J\n")
  })

  it("shows what failed tries begin with once, and the whole text when it is stored", () => {
    const retrying: SessionEvent = {
      type: "run.retrying",
      ...ephemeral,
      attempt: 2,
      delayMillis: 500,
      reason: "overloaded"
    }
    const again = play([text(0, "Hel")], [retrying], [text(0, "Hell")])
    expect(RunView.work(again.view).status).toBe("answering again")
    const { output } = play(
      [text(0, "Hel")],
      [retrying],
      [text(0, "Hell")],
      [retrying],
      [text(0, "Hello.")],
      [appended, assistant("Hello.")],
      [text(0, "Next")]
    )
    const note = "  … the model failed (overloaded); attempt 2 in 500 ms\n"
    expect(output).toBe(`Hel\n${note}${note}Hello.\nNext`)
  })

  it("says how many calls wait, and nothing when the run has ended", () => {
    const ended: SessionEvent = {
      type: "run.ended",
      ...durable,
      stopReason: "cancelled",
      detail: null,
      usage: Usage.zero
    }
    const { view } = play([{ type: "run.started", ...durable }], [appended, assistant("", "one", "two")])
    expect(RunView.work(view)).toEqual({ tasks: [], status: "2 calls waiting" })
    expect(RunView.next(view, { ...ended, runId: RunId.make("run-2") }, null)).toEqual(["", view])
    const [output, after] = RunView.next(view, ended, null)
    expect(output).toBe("  cancelled\n")
    expect(RunView.work(after)).toEqual({ tasks: [], status: "" })
  })

  it("thinks no longer once a call has started, even if the step's message could not be read", () => {
    const thinking: SessionEvent = { type: "reasoning.delta", ...ephemeral, offset: 0, text: "hm" }
    const { view } = play([thinking], [appended], [started("c", 1)], [finished("c", 2)])
    expect(RunView.work(view)).toEqual({ tasks: [], status: "" })
  })

  it("waits for the model once all calls have results, not while one of them still waits", () => {
    const result: SessionEvent = { ...appended, role: "tool" }
    const before = play([appended, assistant("", "one", "two")], [finished("one", 3)], [result])
    expect(RunView.work(before.view).status).toBe("1 call waiting")
    const [, last] = RunView.next(before.view, finished("two", 5), null)
    expect(RunView.work(RunView.next(last, result, null)[1]).status).toBe("waiting for the model")
  })

  it("a finished call takes no more than the columns that there are", () => {
    const long: Message = {
      role: "assistant",
      parts: [{ type: "call", callId: CallId.make("c"), name: "read", input: `{"path":"${"x".repeat(90)}"}` }],
      model: { provider: "script", model: "m" },
      finish: "tool-calls",
      usage: Usage.unknown
    }
    const view = RunView.withCalls(RunView.make({ ansi: Ansi.none, columns: 30 }), long)
    const [output] = RunView.next(RunView.next(view, started("c", 1), null)[1], finished("c", 13), null)
    expect(output).toMatch(/^ {2}✓ read x+… +12 ms\n$/)
    expect(output.length).toBe(31)
  })

  it("makes names and inputs harmless", () => {
    const call: Message = {
      role: "assistant",
      parts: [
        { type: "call", callId: CallId.make("c"), name: "re\x1b[2Jad", input: '{"path":"a\\u001b]52;c;aGk=\\u0007b"}' }
      ],
      model: { provider: "script", model: "m" },
      finish: "tool-calls",
      usage: Usage.unknown
    }
    const { output } = play([appended, call], [finished("c", 3)])
    expect(output).toContain("re␛[2Jad a␛]52;c;aGk=␇b")
    expect(output).not.toMatch(/[\x1b\x07]/)
  })
})
