import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Schema } from "effect"
import { type Gateway, Message, Usage } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { complaints } from "../../../support/verdicts/providerRules.js"
import { open } from "../runtime/fixture.js"

const step = (...ids: ReadonlyArray<string>): Gateway.ForeignMessage => ({
  role: "assistant",
  parts: [
    { type: "text", text: "hm" },
    ...ids.map((callId) => ({ type: "call" as const, callId, name: "read", input: "{}" }))
  ],
  model: { provider: "elsewhere", model: "m" },
  finish: "tool-calls",
  usage: Usage.unknown
})

const result = (callId: string, text = callId): Gateway.ForeignMessage => ({
  role: "tool",
  callId,
  name: "read",
  outcome: "success",
  text
})

interface Named {
  readonly callId: string
  readonly foreignCallId?: string
}

const calls = ({ message }: Message.Entry): ReadonlyArray<Named> =>
  message.role === "tool" ? [message] : Message.callsOf(message)

/** A call or result as a line: the id that it was given, and whether it still has that id. */
const given = ({ callId, foreignCallId }: Named) =>
  foreignCallId === undefined ? callId : `${foreignCallId} (foreign)`

/** Ids as vendors write them: in our own form, and in any other. */
const ids = FastCheck.array(
  FastCheck.oneof(
    FastCheck.constantFrom("toolu_1", "call-2", "functions.read:0", "functions.read:1", "_x", "call|item", "..", "é\n"),
    FastCheck.string({ minLength: 1 }),
    FastCheck.string({ minLength: 65, maxLength: 500 })
  ),
  { minLength: 1, maxLength: 5 }
)

describe("call ids from elsewhere", () => {
  it.scoped("are kept next to an id of ours that a call and its result share; ids in our form stay", () =>
    Effect.gen(function* () {
      const { gateway, model, send, session, transcript } = yield* open()
      const { id } = yield* session()
      const long = "x".repeat(65)
      yield* gateway.append(id, [
        Message.userText("read"),
        step("functions.read:0", "call_1", long),
        result("functions.read:0"),
        result("call_1"),
        result(long),
        step("functions.read:0", "functions.read:0"),
        result("functions.read:0", "first"),
        result("functions.read:0", "second")
      ])
      const entries = yield* transcript(id)
      expect(entries.flatMap(calls).map(given)).toEqual(
        [
          ["functions.read:0 (foreign)", "call_1", `${long} (foreign)`],
          ["functions.read:0 (foreign)", "call_1", `${long} (foreign)`],
          ["functions.read:0 (foreign)", "functions.read:0 (foreign)"],
          ["functions.read:0 (foreign)", "functions.read:0 (foreign)"]
        ].flat()
      )
      yield* model.play(ScriptedModel.text("done"))
      yield* gateway.await(yield* send(id, "and now?"))
      const view = (yield* model.requests).at(-1)?.view ?? []
      expect(complaints(view)).toEqual([])
      expect(view.flatMap((item) => (item.role === "tool" ? item.results.map(({ text }) => text) : []))).toEqual([
        "functions.read:0",
        "call_1",
        long,
        "first",
        "second"
      ])
    })
  )

  it.scoped.prop("are accepted whatever they look like", [FastCheck.array(ids, { maxLength: 4 })], ([batches]) =>
    Effect.gen(function* () {
      const { gateway, session } = yield* open()
      const { id } = yield* session()
      const messages = batches.flatMap((ids) => [step(...ids), ...ids.map((id) => result(id))])
      const appended = yield* gateway.append(id, messages)
      const all = appended.flatMap(calls)
      expect(all.map(({ callId, foreignCallId }) => foreignCallId ?? callId)).toEqual(
        batches.flatMap((ids) => [...ids, ...ids])
      )
      expect(all.every(({ callId }) => Schema.is(Message.CallId)(callId))).toBe(true)
      const made = all.filter(({ foreignCallId }) => foreignCallId !== undefined).map(({ callId }) => callId)
      expect(new Set(made).size).toBe(made.length / 2)
    })
  )

  it.scoped("match results with calls only in their order", () =>
    Effect.gen(function* () {
      const { gateway, session, transcript } = yield* open()
      const { id } = yield* session()
      const refused = (...messages: ReadonlyArray<Gateway.ForeignMessage>) =>
        Effect.map(Effect.flip(gateway.append(id, messages)), (error) =>
          error._tag === "AppendRefused" ? error.reason : error._tag
        )
      expect(yield* refused(step("a.1", "b.1"), result("b.1"), result("a.1"))).toBe("batch-open")
      expect(yield* refused(step("a.1"), result("a.1"), result("a.1"))).toBe("result-without-call")
      expect(yield* refused(step("a.1"), result("a.2"))).toBe("result-without-call")
      expect(yield* refused(step("a.1"), result("a.1"), step("b.1"), result("a.1"))).toBe("result-without-call")
      expect(yield* refused(step("a.1"))).toBe("calls-without-batch")
      expect(yield* transcript(id)).toEqual([])
    })
  )
})
