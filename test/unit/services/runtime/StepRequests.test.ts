/** What a model is asked again after its provider refused, and the room that its answer has. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Model, Tool, Usage } from "skein"
import { ModelFailed } from "../../../../src/domain/SkeinError.js"
import * as View from "../../../../src/domain/View.js"
import { png } from "../../../support/fixtures/pictures.js"
import { ground } from "./engines.js"

const refused = (detail: string, reason: ModelFailed["reason"] = "rejected") =>
  new ModelFailed({ model: "test/m", reason, status: 400, retryAfterMillis: null, detail })

const finish = (reason: "stop" | "tool-calls"): Model.Part => ({ type: "finish", reason, usage: Usage.unknown })
const said = (text: string): ReadonlyArray<Model.Part> => [{ type: "text", id: "t", delta: text }, finish("stop")]

/** Reasoning signed by an account, followed by an answer or calls. */
const thought = (account: string, ...parts: ReadonlyArray<Model.Part>): ReadonlyArray<Model.Part> => [
  { type: "reasoning", id: "r", delta: account, providerMetadata: { test: { account } } },
  ...parts
]
const call: Model.Part = { type: "call", index: 0, name: "look", input: "{}", providerCallId: "c" }
const look = Tool.dynamic("look", { description: "looks", access: "read", inputSchema: { type: "object" } }).handle(
  () => Effect.succeed("seen")
)

const reasoningOf = (view: View.View) =>
  view.flatMap((item) =>
    item.role === "assistant" ? item.parts.flatMap((part) => (part.type === "reasoning" ? [part.text] : [])) : []
  )

/** A model of the test's own, and the requests that it got. */
const modelOf = (
  step: (request: Model.StepRequest, number: number) => Stream.Stream<Model.Part, ModelFailed>,
  more: Partial<Model.Model> = {}
) => {
  const requests: Array<Model.StepRequest> = []
  const model: Model.Model = {
    provider: "test",
    model: "m",
    contextTokens: null,
    ...more,
    step: (request) => Stream.suspend(() => step(request, requests.push(request)))
  }
  return { requests, models: Model.always(model) }
}

const engineOf = Effect.fnUntraced(function* (models: ReturnType<typeof modelOf>["models"]) {
  const { open } = yield* ground
  return yield* open("a", { models, tools: [look], config: { modelAttempts: 1 } })
})

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

describe("a request that does not fit into the model's context", () => {
  const size = (view: View.View) => View.characters(view)

  it.scoped("is shortened once to what the provider says, and later requests fit from the start", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(({ view }) => {
        const tokens = size(view)
        return tokens > 5_000
          ? Stream.fail(refused(`prompt is too long: ${tokens} tokens > 5000 maximum`))
          : Stream.fromIterable(said("so"))
      })
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("x".repeat(3_000))
      yield* gateway.await(run)
      expect((yield* gateway.await(yield* send(run.sessionId, "y".repeat(2_500)))).stopReason).toBe("completed")
      expect(requests).toHaveLength(3)
      expect(size(requests[2]?.view ?? [])).toBeLessThan(5_000)
      expect((yield* gateway.await(yield* send(run.sessionId, "z"))).stopReason).toBe("completed")
      expect(requests).toHaveLength(4)
      expect(requests[3]?.options.maxOutputTokens).toBe(2_500)
    })
  )

  it.scoped("does not cut other sessions, whose texts may have more characters per token", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(
        ({ view }) => {
          const dense = JSON.stringify(view).includes("0xff") ? 1 : 4
          const tokens = Math.ceil(size(view) / dense)
          return tokens > 5_000
            ? Stream.fail(refused(`prompt is too long: ${tokens} tokens > 5000 maximum`))
            : Stream.fromIterable(said("so"))
        },
        { contextTokens: 5_000 }
      )
      const { begin, gateway, send } = yield* engineOf(models)
      const prose = yield* begin("x".repeat(3_000))
      yield* gateway.await(prose)
      const hex = yield* begin("0xff".repeat(800))
      yield* gateway.await(hex)
      expect((yield* gateway.await(yield* send(hex.sessionId, "y".repeat(3_000)))).stopReason).toBe("completed")
      expect(JSON.stringify(requests.at(-1)?.view)).toContain("left out")
      yield* gateway.await(yield* send(prose.sessionId, "z".repeat(3_000)))
      expect(size(requests.at(-1)?.view ?? [])).toBeGreaterThan(6_000)
    })
  )

  it.scoped("is not sent in the first place when files of known sizes make it too large", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(() => Stream.fromIterable(said("so")), { contextTokens: 12_000 })
      const { gateway, send, session } = yield* engineOf(models)
      const { id } = yield* session()
      const shown: Array<number> = []
      for (let turn = 0; turn < 3; turn++) {
        const content = Stream.make(new TextEncoder().encode("a line of a log\n".repeat(500)))
        const { id: assetId, mediaType } = yield* gateway.saveAsset({ sessionId: id, mediaType: "text/plain", content })
        yield* gateway.await(yield* send(id, "read", { files: [{ assetId, mediaType }] }))
        shown.push(View.files(requests.at(-1)?.view ?? []).length)
      }
      expect(shown).toEqual([1, 2, 1])
    })
  )

  it.scoped("ends the run when its last turn alone is too large", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(() =>
        Stream.fail(refused("This model's maximum context length is 9000 tokens. However, you requested 20000 tokens"))
      )
      const { begin, gateway } = yield* engineOf(models)
      expect((yield* gateway.await(yield* begin("x".repeat(60_000)))).stopReason).toBe("failed")
      expect(requests.length).toBeLessThanOrEqual(2)
    })
  )

  it.scoped("goes on with the next message after one that was too long", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(
        ({ view }) =>
          size(view) > 15_000
            ? Stream.fail(refused(`prompt is too long: ${size(view)} tokens > 5000 maximum`))
            : Stream.fromIterable(said("two")),
        { contextTokens: 5_000 }
      )
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("x".repeat(60_000))
      expect((yield* gateway.await(run)).stopReason).toBe("failed")
      expect((yield* gateway.await(yield* send(run.sessionId, "sorry, 1 + 1?"))).stopReason).toBe("completed")
      expect((yield* gateway.await(yield* send(run.sessionId, "and 1 + 2?"))).stopReason).toBe("completed")
      expect(requests.at(-1)?.view.map(({ role }) => role)).toEqual(["user", "user", "assistant", "user"])
    })
  )

  it.scoped("is cut to fit denser text when the provider gives no size and the model's context is known", () =>
    Effect.gen(function* () {
      const isDense = (view: View.View) => JSON.stringify(view).includes("天")
      const { models, requests } = modelOf(
        ({ view }) =>
          size(view) / (isDense(view) ? 1 : 4) > 4_000
            ? Stream.fail(refused("Your input exceeds the context window of this model."))
            : Stream.fromIterable(said("so")),
        { contextTokens: 8_000 }
      )
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("天".repeat(1_500))
      yield* gateway.await(run)
      for (let turn = 0; turn < 4; turn++) {
        const sent = yield* send(run.sessionId, "天".repeat(1_500))
        expect((yield* gateway.await(sent)).stopReason).toBe("completed")
      }
      const refusals = requests.filter(({ view }) => size(view) > 4_000)
      expect(refusals.map(({ view }) => View.characters(view) > 5_900)).toEqual([false])
      const other = yield* begin("x".repeat(3_000))
      yield* gateway.await(other)
      yield* gateway.await(yield* send(other.sessionId, "x".repeat(3_000)))
      expect(size(requests.at(-1)?.view ?? [])).toBeGreaterThan(6_000)
    })
  )

  it.scoped("teaches only the model's limit while that was unknown and nothing was counted", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(({ options, view }) =>
        size(view) / 4 + (options.maxOutputTokens ?? 8_192) > 8_000
          ? Stream.fail(refused("the request exceeds the available context size (8000 tokens), try increasing it"))
          : Stream.fromIterable(said("so"))
      )
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("x".repeat(9_000))
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      yield* gateway.await(yield* send(run.sessionId, "y".repeat(1_000)))
      expect(requests.map(({ view }) => size(view) > 10_000)).toEqual([false, false, true])
    })
  )

  it.scoped("teaches nothing when it could not have fitted and was not counted", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(
        ({ view }) =>
          size(view) > 16_000
            ? Stream.fail(refused("Your input exceeds the context window of this model."))
            : Stream.fromIterable(said("so")),
        { contextTokens: 8_000 }
      )
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("x".repeat(60_000))
      expect((yield* gateway.await(run)).stopReason).toBe("failed")
      for (let turn = 0; turn < 4; turn++) yield* gateway.await(yield* send(run.sessionId, "y".repeat(2_500)))
      expect(requests).toHaveLength(5)
      expect(size(requests.at(-1)?.view ?? [])).toBeGreaterThan(10_000)
    })
  )

  it.scoped("ends with advice when the provider gives no size", () =>
    Effect.gen(function* () {
      const { models } = modelOf(() => Stream.fail(refused("Your input exceeds the context window of this model.")))
      const { begin, gateway } = yield* engineOf(models)
      expect((yield* gateway.await(yield* begin("go"))).detail).toBe(
        "Model test/m failed: rejected (400): Your input exceeds the context window of this model. (set contextTokens of test to what the model's context holds)"
      )
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

describe("files that make a request too large", () => {
  /** Sends the files one by one, then a message without any. Returns how each run ended, and the requests' files. */
  const sending = Effect.fnUntraced(function* (
    models: ReturnType<typeof modelOf>["models"],
    mediaTypes: ReadonlyArray<string>
  ) {
    const { gateway, send, session } = yield* engineOf(models)
    const { id } = yield* session()
    const ends: Array<string> = []
    for (const mediaType of mediaTypes) {
      const content = Stream.make(mediaType === "image/png" ? png(3, 4) : new TextEncoder().encode("%PDF-1.7\n"))
      const { id: assetId } = yield* gateway.saveAsset({ sessionId: id, mediaType, content })
      ends.push((yield* gateway.await(yield* send(id, "look", { files: [{ assetId, mediaType }] }))).stopReason)
    }
    for (const text of ["and?", "so?"]) ends.push((yield* gateway.await(yield* send(id, text))).stopReason)
    return ends
  })
  const filesOf = ({ view }: Model.StepRequest) => View.files(view).length

  it.scoped("are named once newer messages follow, when the request has too many bytes", () =>
    Effect.gen(function* () {
      const tooLarge = new ModelFailed({
        model: "test/m",
        reason: "rejected",
        status: 413,
        retryAfterMillis: null,
        detail: "Request exceeds the maximum size"
      })
      const { models, requests } = modelOf((request) =>
        filesOf(request) > 2 ? Stream.fail(tooLarge) : Stream.fromIterable(said("nice"))
      )
      const ends = yield* sending(
        models,
        Array.from({ length: 4 }, () => "image/png")
      )
      expect(ends).toEqual(Array.from({ length: 6 }, () => "completed"))
      expect(requests.map(filesOf)).toEqual([1, 2, 3, 1, 2, 2, 2])
    })
  )

  it.scoped("are named once newer messages follow, when they have more tokens than was thought", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(
        (request) =>
          filesOf(request) > 0
            ? Stream.fail(refused("prompt is too long: 225000 tokens > 200000 maximum"))
            : Stream.fromIterable(said("fine")),
        { contextTokens: 200_000 }
      )
      expect(yield* sending(models, ["application/pdf"])).toEqual(["failed", "completed", "completed"])
      expect(requests.map(filesOf)).toEqual([1, 1, 0, 0])
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

describe("the room for an answer", () => {
  const views = Effect.fnUntraced(function* (more: Partial<Model.Model>, maxOutputTokens?: number) {
    const { models, requests } = modelOf(() => Stream.fromIterable(said("so")), more)
    const { gateway, send, session } = yield* engineOf(models)
    const options = maxOutputTokens === undefined ? {} : { options: { maxOutputTokens } }
    const { id } = yield* session({ model: { provider: "test", model: "m", ...options } })
    for (let turn = 0; turn < 12; turn++) yield* gateway.await(yield* send(id, "x".repeat(2_000)))
    return {
      largest: Math.max(...requests.map(({ view }) => View.characters(view))),
      limit: requests.at(-1)?.options.maxOutputTokens
    }
  })

  it.scoped("is what the model or the session allows, else 8,192 tokens, and half of the context at most", () =>
    Effect.gen(function* () {
      for (const [contextTokens, outputTokens, wanted, left, limit] of [
        [8_000, 2_000, undefined, 6_000, undefined],
        [8_000, undefined, 3_000, 5_000, 3_000],
        [20_000, undefined, undefined, 11_808, undefined],
        [8_000, undefined, undefined, 4_000, 4_000],
        [8_000, undefined, 7_000, 4_000, 4_000],
        [8_000, 7_000, undefined, 4_000, 4_000]
      ] as const) {
        const more = outputTokens === undefined ? {} : { outputTokens: () => outputTokens }
        const shown = yield* views({ contextTokens, ...more }, wanted)
        expect(shown.limit).toBe(limit)
        expect(shown.largest).toBeLessThanOrEqual(left * 3)
        expect(shown.largest).toBeGreaterThan(Math.min(left * 3 * 0.6, 20_000))
      }
    })
  )
})
