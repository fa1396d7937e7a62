/**
 * The items of a Responses answer may be written at the same time. Each is sent back once, whole, in the order in which
 * the items began. The service is a strict fake.
 */
import { assert, it } from "@effect/vitest"
import { Effect, FastCheck, Redacted } from "effect"
import { Model, Tool } from "skein"
import { OpenAi } from "../../../../src/openai.js"
import { complaintsOfBody } from "../../../support/verdicts/wireRules.js"
import { ground } from "../../services/runtime/engines.js"
import * as Frames from "./FakeFrames.js"
import * as FakeProvider from "./FakeProvider.js"
import { at } from "./StepRequests.js"

const apiKey = Redacted.make("canary-items")

/** The frames of an item, in order, and the item's form in a request. */
interface Item {
  readonly frames: ReadonlyArray<string>
  readonly sent: object
}

const added = (item: object) => Frames.event("response.output_item.added", { output_index: 0, item })
const done = (item: object) => Frames.event("response.output_item.done", { output_index: 0, item })

const reasoning = (id: string, early: string | null, summaries: ReadonlyArray<string>): Item => {
  const item = { type: "reasoning", id }
  const sealed = { ...item, encrypted_content: `${id} sealed` }
  return {
    frames: [
      added({ ...item, encrypted_content: early }),
      ...summaries.flatMap((delta, index) => {
        const position = { item_id: id, summary_index: index }
        return [
          Frames.event("response.reasoning_summary_part.added", position),
          Frames.event("response.reasoning_summary_text.delta", { ...position, delta }),
          Frames.event("response.reasoning_summary_part.done", position)
        ]
      }),
      done(sealed)
    ],
    sent: { ...sealed, summary: summaries.map((text) => ({ type: "summary_text", text })) }
  }
}

const message = (id: string, deltas: ReadonlyArray<string>): Item => ({
  frames: [
    added({ type: "message", id }),
    ...deltas.map((delta) => Frames.event("response.output_text.delta", { item_id: id, delta })),
    done({ type: "message", id })
  ],
  sent: { role: "assistant", id, content: [{ type: "output_text", text: deltas.join("") }] }
})

const call = (id: string): Item => {
  const item = { type: "function_call", id: `fc_${id}`, call_id: id, name: "look" }
  return {
    frames: [added({ ...item, arguments: "" }), done({ ...item, arguments: "{}", status: "completed" })],
    sent: { type: "function_call", call_id: id, name: "look", arguments: "{}" }
  }
}

/**
 * The frames of all items, woven: each number names the item whose next frame comes. The frames that remain come at the
 * end.
 */
const woven = (items: ReadonlyArray<Item>, turns: ReadonlyArray<number>): ReadonlyArray<string> => {
  const left = items.map(({ frames }) => [...frames])
  const first = turns.flatMap((turn) => left[turn % items.length]?.splice(0, 1) ?? [])
  return [...first, ...left.flat()]
}

const answerOf = (frames: ReadonlyArray<string>): FakeProvider.Answer => {
  const { closing, deltas } = Frames.responses({})
  return FakeProvider.sse([...deltas, ...frames, ...closing])
}

/** What the request after the answer contains of it. */
const sentAfter = Effect.fn(function* (frames: ReadonlyArray<string>) {
  const complaints: Array<string> = []
  let count = 0
  const fake = yield* FakeProvider.answering(({ body, path }) => {
    complaints.push(...complaintsOfBody(path, body))
    return ++count === 1 ? answerOf(frames) : FakeProvider.responses({ text: "ok" })
  })
  const look = Tool.dynamic("look", { description: "looks", inputSchema: {} }).handle(() => Effect.succeed("seen"))
  const { gateway, send, session } = yield* (yield* ground).open("a", {
    models: Model.always(OpenAi.make({ apiKey, baseUrl: fake.url, model: "gpt-5" })),
    tools: [look],
    config: { modelAttempts: 1 }
  })
  const { id } = yield* session()
  for (const text of ["hello", "go on"]) {
    const { detail, stopReason } = yield* gateway.await(yield* send(id, text))
    assert.deepStrictEqual({ detail, stopReason }, { detail: null, stopReason: "completed" })
  }
  assert.deepStrictEqual(complaints, [])
  const input: unknown = at((yield* fake.received)[1]?.body, "input")
  assert(Array.isArray(input))
  return input.filter(
    (item): item is object => at(item, "role") !== "user" && at(item, "type") !== "function_call_output"
  )
})

const thought = reasoning("rs_1", null, ["hm"])

it.scoped("two messages that are streamed at the same time keep their texts and their ids", () =>
  Effect.gen(function* () {
    const items = [thought, message("msg_1", ["a", "b"]), message("msg_2", ["c", "d"])]
    const sent = yield* sentAfter(woven(items, [0, 0, 0, 0, 0, 1, 2, 1, 2, 1, 2, 2, 1]))
    assert.deepStrictEqual(
      sent,
      items.map((item) => item.sent)
    )
  })
)

for (const early of [null, "rs_1 early"]) {
  it.scoped(
    `a reasoning that ends after the text is sent whole before it; encrypted content at its start: ${early}`,
    () =>
      Effect.gen(function* () {
        const items = [reasoning("rs_1", early, ["one", "two"]), message("msg_1", ["so"])]
        const sent = yield* sentAfter(woven(items, [0, 0, 0, 0, 1, 1, 1]))
        assert.deepStrictEqual(
          sent,
          items.map((item) => item.sent)
        )
      })
  )
}

const kinds = FastCheck.constantFrom("reasoning" as const, "message" as const, "call" as const)

/**
 * A reasoning comes first, so that messages are sent with their ids; the item that begins last is a message or a call.
 */
const answers = FastCheck.record({
  between: FastCheck.array(FastCheck.tuple(kinds, FastCheck.nat(3)), { minLength: 1, maxLength: 4 }),
  turns: FastCheck.array(FastCheck.nat(7), { maxLength: 40 })
})

const itemOf = (kind: "reasoning" | "message" | "call", count: number, at: number): Item => {
  const words = Array.from({ length: count }, (_, word) => `${kind} ${at} ${word}.`)
  if (kind === "reasoning") return reasoning(`rs_${at}`, count % 2 === 0 ? null : "early", words)
  return kind === "message" ? message(`msg_${at}`, [...words, "end"]) : call(`call_${at}`)
}

it.scoped("P4 always sendable: interleaved items go back once each, whole, in the order in which they began", () =>
  Effect.gen(function* () {
    for (const { between, turns } of FastCheck.sample(answers, 40)) {
      const items = [
        thought,
        ...between.map(([kind, count], at) => itemOf(kind, count, at + 2)),
        message("msg_9", ["so"])
      ]
      // Each item has begun before the weaving; only the order in which they continue is random.
      const begun = items.map((_, at) => at)
      const sent = yield* sentAfter(woven(items, [...begun, ...turns]))
      assert.deepStrictEqual(
        sent,
        items.map((item) => item.sent)
      )
    }
  })
)
