/** P4 over the wire: whatever the transcript, each of the three services accepts the request that is made from it. */
import { expect, it } from "@effect/vitest"
import { Effect, FastCheck, Redacted } from "effect"
import { Anthropic } from "../../../../src/anthropic.js"
import type { AssistantMessage, Entry } from "../../../../src/domain/Message.js"
import * as View from "../../../../src/domain/View.js"
import { ChatCompletions, OpenAi } from "../../../../src/openai.js"
import type { Model } from "../../../../src/services/Model.js"
import { pictures } from "../../../support/fixtures/pictures.js"
import { anyEntries, settledEntries } from "../../../support/fixtures/transcripts.js"
import { complaintsOfBody } from "../../../support/verdicts/wireRules.js"
import * as FakeProvider from "./FakeProvider.js"
import { parts } from "./StepRequests.js"

const apiKey = Redacted.make("canary")

type Part = AssistantMessage["parts"][number]

/** What the vendor of a message would have kept with a part; some of it is missing. */
const dressed = (part: Part, provider: string, name: string, isWhole: boolean): Part => {
  if (part.type === "reasoning") {
    const kept =
      provider === "anthropic"
        ? { anthropic: isWhole ? { signature: name } : {} }
        : { openai: { itemId: `rs_${name}`, reasoningEncryptedContent: isWhole ? name : null } }
    return { ...part, providerMetadata: kept }
  }
  return part.type === "text" && provider === "openai"
    ? { ...part, providerMetadata: { openai: { itemId: `msg_${name}` } } }
    : part
}

const asVendorsDo = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
  entries.map((entry) => {
    const { message, seq } = entry
    if (message.role !== "assistant") return entry
    const parts = message.parts.map((part, at) =>
      dressed(part, message.model.provider, `${seq}_${at}`, (seq + at) % 4 !== 0)
    )
    return { ...entry, message: { ...message, parts } }
  })

const transcripts = FastCheck.oneof(settledEntries, anyEntries).map(asVendorsDo)

const services: ReadonlyArray<readonly [provider: string, of: (baseUrl: string) => Model]> = [
  ["anthropic", (baseUrl) => Anthropic.make({ apiKey, baseUrl, model: "claude-sonnet-4-5" })],
  ["anthropic", (baseUrl) => Anthropic.make({ apiKey, baseUrl, model: "claude-fable-5-1" })],
  ["openai", (baseUrl) => OpenAi.make({ apiKey, baseUrl, model: "gpt-5" })],
  ["chat", (baseUrl) => ChatCompletions.make({ name: "chat", baseUrl, model: "small" })]
]

const answer = (path: string): FakeProvider.Answer => {
  if (path.endsWith("/messages")) return FakeProvider.anthropic({ text: "ok" })
  return path.endsWith("/responses") ? FakeProvider.responses({ text: "ok" }) : FakeProvider.chat({ text: "ok" })
}

for (const [provider, of] of services) {
  const { model } = of("http://127.0.0.1:1")
  it.scoped(`P4 always sendable: ${provider}/${model} takes any transcript`, () =>
    Effect.gen(function* () {
      const refusals: Array<string> = []
      const fake = yield* FakeProvider.answering(({ body, path }) => {
        refusals.push(...complaintsOfBody(path, body))
        return answer(path)
      })
      const made = of(fake.url)
      const cases = FastCheck.record({
        entries: transcripts,
        maxCharacters: FastCheck.option(FastCheck.integer({ min: 500, max: 20_000 })),
        reasoningEffort: FastCheck.constantFrom("none" as const, "low" as const, "high" as const)
      })
      for (const { entries, maxCharacters, reasoningEffort } of FastCheck.sample(cases, 25)) {
        const leavesOutRefused = made.takesRefusedTurns === false
        const view = View.make(entries, {
          provider,
          model: "m",
          maxCharacters,
          leavesOutRefused,
          showsResultFiles: made.takesFilesInResults === true
        })
        if (view.length === 0) continue
        yield* parts(made, {
          view,
          options: { reasoningEffort, maxOutputTokens: 9 },
          tools: [{ name: "read", description: "Reads", inputSchema: { type: "object", properties: {} } }],
          file: () => Effect.succeed(pictures["image/png"](3, 4))
        })
        expect({ refusals: refusals.splice(0), view }).toEqual({ refusals: [], view })
      }
    })
  )
}
