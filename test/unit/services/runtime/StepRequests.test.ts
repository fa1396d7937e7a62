/** What a model is asked again after its provider refused reasoning, a form or a picture. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { type Model, Tool, Usage } from "skein"
import * as View from "../../../../src/domain/View.js"
import { png } from "../../../support/fixtures/pictures.js"
import { call, engineOf, finish, modelOf, refused, said } from "./asked.js"
import { ground } from "./engines.js"

/** Reasoning signed by an account, followed by an answer or calls. */
const thought = (account: string, ...parts: ReadonlyArray<Model.Part>): ReadonlyArray<Model.Part> => [
  { type: "reasoning", id: "r", delta: account, providerMetadata: { test: { account } } },
  ...parts
]
const reasoningOf = (view: View.View) =>
  view.flatMap((item) =>
    item.role === "assistant" ? item.parts.flatMap((part) => (part.type === "reasoning" ? [part.text] : [])) : []
  )

describe("reasoning that a provider refuses", () => {
  for (const words of [
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "The encrypted content could not be verified.",
    "Reasoning input items can only be provided to a reasoning or computer use model.",
    "Expected `thinking` or `redacted_thinking`, but found `tool_use`"
  ]) {
    it.scoped(`is left out at once, and later reasoning goes back (${words.slice(0, 40)})`, () =>
      Effect.gen(function* () {
        let account = "first"
        const { models, requests } = modelOf(({ view }) => {
          if (reasoningOf(view).some((text) => text !== account)) return Stream.fail(refused(words))
          const asks = account === "second" && view.at(-1)?.role !== "tool"
          return Stream.fromIterable(thought(account, ...(asks ? [call, finish("tool-calls")] : said("so"))))
        })
        const { begin, gateway, send } = yield* engineOf(models)
        const run = yield* begin("one")
        yield* gateway.await(run)
        account = "second"
        expect(yield* gateway.await(yield* send(run.sessionId, "two"))).toMatchObject({ stopReason: "completed" })
        expect(requests.map(({ view }) => reasoningOf(view))).toEqual([[], ["first"], [], ["second"]])
        yield* gateway.await(yield* send(run.sessionId, "three"))
        expect(reasoningOf(requests[4]?.view ?? [])).toEqual(["second", "second"])
      })
    )
  }

  it.scoped("is left out once; if the provider still refuses, the run ends", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf((_, number) =>
        number === 1 ? Stream.fromIterable(thought("a", ...said("so"))) : Stream.fail(refused("no thinking today"))
      )
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("one")
      yield* gateway.await(run)
      expect((yield* gateway.await(yield* send(run.sessionId, "two"))).detail).toContain("no thinking today")
      expect(requests).toHaveLength(3)
    })
  )

  it.scoped("is not left out for other refusals, or for that of a view without reasoning", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf((_, number) => {
        if (number === 2) return Stream.fromIterable(thought("a", ...said("so")))
        return Stream.fail(number === 1 ? refused("reasoning is not for you") : refused("temperature is too high"))
      })
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("one")
      expect((yield* gateway.await(run)).stopReason).toBe("failed")
      expect(requests).toHaveLength(1)
      yield* gateway.await(yield* send(run.sessionId, "two"))
      expect((yield* gateway.await(yield* send(run.sessionId, "three"))).stopReason).toBe("failed")
      expect(requests).toHaveLength(3)
    })
  )

  it.scoped("is announced to watchers as a retry if something had been written", () =>
    Effect.gen(function* () {
      const { models } = modelOf((_, number) => {
        if (number !== 2) return Stream.fromIterable(thought("a", ...said("so")))
        return Stream.concat(
          Stream.make<[Model.Part]>({ type: "text", id: "t", delta: "hal" }),
          Stream.fail(refused("bad signature"))
        )
      })
      const { begin, gateway, lines, seen, send } = yield* engineOf(models)
      const run = yield* begin("one")
      yield* gateway.await(run)
      const second = yield* send(run.sessionId, "two")
      const watcher = yield* Effect.fork(seen(second, "run.retrying"))
      expect((yield* gateway.await(second)).stopReason).toBe("completed")
      expect(yield* watcher).toMatchObject({ attempt: 2, delayMillis: 0, reason: "rejected" })
      expect((yield* lines(run.sessionId)).at(-1)).toBe("assistant: aso")
    })
  )
})

describe("the form of an answer that a provider refuses", () => {
  const form = { type: "object", properties: { a: { type: "string" } } }
  const held = ({ output, system }: Model.StepRequest) => [
    output !== null,
    system?.includes(JSON.stringify(form)) === true
  ]

  for (const words of [
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "Invalid schema for response_format 'response': In context=(), 'additionalProperties' is required",
    "output_config.format: this model does not support output formats",
    "structured outputs are not available on your plan"
  ]) {
    it.scoped(`moves to the prompt, at once and from then on in that session (${words.slice(0, 40)})`, () =>
      Effect.gen(function* () {
        const { models, requests } = modelOf(
          ({ output }) => (output === null ? Stream.fromIterable(said("{}")) : Stream.fail(refused(words))),
          { takesOutput: () => true }
        )
        const { begin, gateway, send } = yield* engineOf(models)
        const run = yield* begin("one", { output: form })
        expect((yield* gateway.await(run)).stopReason).toBe("completed")
        yield* gateway.await(yield* send(run.sessionId, "two", { output: form }))
        yield* gateway.await(yield* send(run.sessionId, "three"))
        yield* gateway.await(yield* begin("one", { output: form }))
        expect(requests.map(held)).toEqual([
          [true, false],
          [false, true],
          [false, true],
          [false, false],
          [true, false],
          [false, true]
        ])
      })
    )
  }

  it.scoped("does not move for other refusals, or for that of a request without a form", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(
        ({ output }) => Stream.fail(refused(output === null ? "bad response_format" : "no money")),
        { takesOutput: () => true }
      )
      const { begin, gateway } = yield* engineOf(models)
      expect((yield* gateway.await(yield* begin("one", { output: form }))).stopReason).toBe("failed")
      expect((yield* gateway.await(yield* begin("two"))).stopReason).toBe("failed")
      expect(requests).toHaveLength(2)
    })
  )

  it.scoped("takes up room in the model's context when it is in the prompt", () =>
    Effect.gen(function* () {
      const long = { ...form, description: "d".repeat(6_000) }
      const { models, requests } = modelOf(() => Stream.fromIterable(said("x".repeat(2_000))), { contextTokens: 4_000 })
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("one")
      yield* gateway.await(run)
      yield* gateway.await(yield* send(run.sessionId, "two", { output: long }))
      yield* gateway.await(yield* send(run.sessionId, "three"))
      const isCut = ({ view }: Model.StepRequest) => JSON.stringify(view[0]).includes("left out")
      expect(requests.map(isCut)).toEqual([false, true, false])
    })
  )
})

describe("a picture that a provider refuses", () => {
  const isShown = (view: View.View) => View.files(view).length > 0

  it.scoped("is reported with advice, and named instead of shown once another message follows", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(({ view }) =>
        isShown(view) ? Stream.fail(refused("Could not process image")) : Stream.fromIterable(said("fine"))
      )
      const { gateway, send, session } = yield* engineOf(models)
      const { id } = yield* session()
      const content = Stream.make(png(3, 4))
      const asset = yield* gateway.saveAsset({ sessionId: id, mediaType: "image/png", name: "shot.png", content })
      const files = [{ assetId: asset.id, mediaType: "image/jpeg", name: "shot.png" }]
      const first = yield* gateway.await(yield* send(id, "look", { files }))
      expect(first.detail).toContain(
        "Could not process image (the message shows shot.png: delete the file with deleteAsset"
      )
      expect(View.files(requests[0]?.view ?? [])).toMatchObject([{ mediaType: "image/png" }])
      expect((yield* gateway.await(yield* send(id, "forget it"))).stopReason).toBe("completed")
      expect(JSON.stringify(requests.at(-1)?.view)).toContain("is no longer shown.]")
      const count = requests.length
      expect((yield* gateway.await(yield* send(id, "and now?"))).stopReason).toBe("completed")
      expect(requests).toHaveLength(count + 1)
    })
  )
})

describe("a picture in a result", () => {
  const drawing = Tool.dynamic("look", {
    description: "looks",
    access: "read",
    inputSchema: { type: "object" }
  }).handle(() =>
    Effect.succeed(
      Tool.result({ text: "seen", files: [{ name: "shot.png", mediaType: "image/png", content: png(3, 4) }] })
    )
  )
  const asking = ({ view }: Model.StepRequest): ReadonlyArray<Model.Part> =>
    view.at(-1)?.role === "tool" ? said("fine") : [call, finish("tool-calls")]
  const drawn = Effect.fnUntraced(function* (models: ReturnType<typeof modelOf>["models"]) {
    const { open } = yield* ground
    return yield* open("a", { models, tools: [drawing], config: { modelAttempts: 1 } })
  })
  const shown = (request: Model.StepRequest | undefined) =>
    (request?.view ?? []).flatMap((item) =>
      item.role === "tool" ? item.results.map(({ files = [], text }) => `${files.length} ${text}`) : []
    )

  it.scoped("is shown to a model that takes it, and named for others", () =>
    Effect.gen(function* () {
      for (const [more, expected] of [
        [{ takesFilesInResults: true }, "1 seen"],
        [{}, '0 seen\n[The file "shot.png" of type image/png is kept. You cannot see its content.]']
      ] as const) {
        const { models, requests } = modelOf((request) => Stream.fromIterable(asking(request)), more)
        const { begin, gateway } = yield* drawn(models)
        yield* gateway.await(yield* begin("look"))
        expect(shown(requests[1])).toEqual([expected])
      }
    })
  )

  it.scoped("that the provider refuses is named at once, and the run goes on; a later picture is tried again", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(
        (request) =>
          View.files(request.view).length > 0
            ? Stream.fail(refused("messages.2: Could not process image"))
            : Stream.fromIterable(asking(request)),
        { takesFilesInResults: true }
      )
      const { begin, gateway, send } = yield* drawn(models)
      const named = '0 seen\n[The file "shot.png" of type image/png is no longer shown.]'
      const run = yield* begin("look")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect(requests.map(shown)).toEqual([[], ["1 seen"], [named]])
      expect((yield* gateway.await(yield* send(run.sessionId, "again"))).stopReason).toBe("completed")
      expect(requests.slice(3).map(shown)).toEqual([[named], [named, "1 seen"], [named, named]])
    })
  )
})
describe("a turn that the provider refused before it wrote anything", () => {
  const texts = ({ view }: Model.StepRequest) => JSON.stringify(view)
  const answer = (request: Model.StepRequest): ReadonlyArray<Model.Part> =>
    texts(request).includes("forbidden")
      ? [{ type: "finish", reason: "content-filter", usage: Usage.unknown }]
      : said("fine")

  it.scoped("is left out of what comes after it, whether the message or a result was refused", () =>
    Effect.gen(function* () {
      const leak = Tool.dynamic("look", {
        description: "looks",
        access: "read",
        inputSchema: { type: "object" }
      }).handle(() => Effect.succeed("forbidden"))
      for (const first of ["forbidden", "look"]) {
        const { models } = modelOf(
          (request, number) =>
            Stream.fromIterable(number === 1 && first === "look" ? [call, finish("tool-calls")] : answer(request)),
          { takesRefusedTurns: false }
        )
        const { open } = yield* ground
        const { begin, gateway, send } = yield* open("a", { models, tools: [leak] })
        const run = yield* begin(first)
        expect((yield* gateway.await(run)).stopReason).toBe("refused")
        expect((yield* gateway.await(yield* send(run.sessionId, "what is 2 + 2?"))).stopReason).toBe("completed")
      }
    })
  )
})
