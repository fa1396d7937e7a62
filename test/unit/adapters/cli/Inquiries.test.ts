import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Inquiries from "../../../../src/adapters/cli/Inquiries.js"
import * as Ansi from "../../../../src/adapters/cli/terminal/Ansi.js"
import { Screen, type Service } from "../../../../src/adapters/cli/terminal/Screen.js"
import { none } from "../../../../src/domain/CallDisplay.js"
import type * as Inquiry from "../../../../src/domain/Inquiry.js"
import { CallId } from "../../../../src/domain/Message.js"
import { type Question, QuestionId } from "../../../../src/domain/Permission.js"
import { RunId } from "../../../../src/domain/Run.js"
import { Seq, SessionId } from "../../../../src/domain/Session.js"

const inquiry: Inquiry.Inquiry = {
  from: "files",
  text: "Which \u202Eone?",
  fields: [
    { name: "path", kind: "text", title: "Path", isRequired: true },
    { name: "count", kind: "integer", title: "Count", isRequired: false, initial: 3, most: 9 },
    { name: "note", kind: "text", title: "Note", isRequired: false }
  ]
}

const question: Question = {
  id: QuestionId.make("q"),
  sessionId: SessionId.make("s"),
  runId: RunId.make("r"),
  callId: CallId.make("c"),
  seq: Seq.make(3),
  tool: "files__go",
  access: "write",
  input: "{}",
  display: { ...none, inquiry },
  answer: null,
  askedAt: 0
}

/** The answer of a person who types these lines, and what is shown. */
const typing = (...typed: ReadonlyArray<string | null>) =>
  Effect.gen(function* () {
    const lines = [...typed]
    const shown: Array<string> = []
    const next = (): string | null => lines.shift() ?? null
    const screen: Service = {
      write: () => Effect.void,
      writeError: () => Effect.void,
      log: () => {},
      columns: Effect.succeed(80),
      hasBottom: false,
      live: (effect) => effect,
      show: () => Effect.void,
      canAsk: true,
      ask: ({ prompt, subject }, read) =>
        Effect.sync(() => {
          shown.push(...(subject === null ? [] : [subject.title, subject.body]), prompt)
          for (;;) {
            const answer = read(next())
            if (answer !== null) return answer
          }
        }),
      ansi: Ansi.make(false)
    }
    const answer = yield* Effect.provideService(Inquiries.ask(question, inquiry), Screen, screen)
    return { answer, shown: shown.join("\n"), left: lines }
  })

describe("what a call asks, at a terminal", () => {
  it.effect("is asked field by field, each until it fits, with what is there at first for nothing typed", () =>
    Effect.gen(function* () {
      const { answer, left, shown } = yield* typing("a", "y", "", "a.txt", "ten", "", "")
      expect(answer).toEqual({ verdict: "allow-once", values: { path: "a.txt", count: 3 } })
      expect(left).toEqual([])
      expect(shown).toContain("files asks, while files__go runs:\nWhich \\u202eone?")
      expect(shown).toContain("Count (a whole number; at most 9; leave empty for 3): ")
      expect(shown).toContain("Note (text; may be empty): ")
    })
  )

  it.effect("is declined at the first question; the end of the input is no answer, wherever it comes", () =>
    Effect.gen(function* () {
      expect((yield* typing("n", "left")).left).toEqual(["left"])
      for (const lines of [["n"], [""]]) expect((yield* typing(...lines)).answer).toEqual({ verdict: "deny" })
      for (const lines of [[null], ["y", null], ["y", "a.txt", null]])
        expect(yield* Effect.flip(typing(...lines))).toMatchObject({ _tag: "InputEnded" })
    })
  )
})
