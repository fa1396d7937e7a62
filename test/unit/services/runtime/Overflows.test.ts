/** What a model is asked when its context is full or its request too large, and the room that its answer has. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Model } from "skein"
import type { AssetId } from "../../../../src/domain/Asset.js"
import { ModelFailed } from "../../../../src/domain/SkeinError.js"
import * as View from "../../../../src/domain/View.js"
import { png } from "../../../support/fixtures/pictures.js"
import { engineOf, modelOf, refused, said } from "./asked.js"

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

  it.scoped("costs nothing of what was said before, and leaves the beginning as the provider has it in its cache", () =>
    Effect.gen(function* () {
      const { models, requests } = modelOf(
        ({ view }) =>
          size(view) > 15_000
            ? Stream.fail(refused("Your input exceeds the context window of this model."))
            : Stream.fromIterable(said("so")),
        { contextTokens: 5_000 }
      )
      const { begin, gateway, send } = yield* engineOf(models)
      const run = yield* begin("the first")
      yield* gateway.await(run)
      const end = (text: string) => Effect.flatMap(send(run.sessionId, text), gateway.await)
      for (let turn = 0; turn < 11; turn++) yield* end("y".repeat(700))
      const before = requests.at(-1)?.view ?? []
      expect((yield* end("x".repeat(60_000))).stopReason).toBe("failed")
      for (const text of ["sorry, 1 + 1?", "and 1 + 2?"]) {
        expect((yield* end(text)).stopReason).toBe("completed")
        expect(requests.at(-1)?.view.slice(0, before.length)).toEqual(before)
      }
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

describe("what a refusal teaches about a token", () => {
  const size = (view: View.View) => View.characters(view)
  const counted = (tokens: number) => refused(`the request has ${tokens} tokens and exceeds the context window`)

  /** A model whose tokens have four characters of text, or one of hex, and whose files have `perFile` tokens. */
  const counting = (perFile: number) => {
    const refusals: Array<number> = []
    const asked = modelOf(
      ({ view }) => {
        const files = View.files(view)
        const hex = JSON.stringify(view).split("0xff").length - 1
        const tokens = Math.ceil((size(view) - files.length * 4_000) / 4) + files.length * perFile + hex * 3
        if (tokens <= 11_808) return Stream.fromIterable(said("so"))
        refusals.push(tokens)
        return Stream.fail(counted(tokens))
      },
      { contextTokens: 20_000 }
    )
    return { ...asked, refusals, shown: () => size(asked.requests.at(-1)?.view ?? []) }
  }

  /** A session with some prose. */
  const talking = Effect.fnUntraced(function* (models: ReturnType<typeof modelOf>["models"]) {
    const { gateway, send, session } = yield* engineOf(models)
    const { id } = yield* session()
    const end = (text: string, files: ReadonlyArray<{ assetId: AssetId; mediaType: string }> = []) =>
      Effect.flatMap(send(id, text, { files }), gateway.await)
    const talk = (turns: number) => Effect.repeatN(end("y".repeat(2_000)), turns - 1)
    yield* talk(12)
    const picture = Effect.gen(function* () {
      const content = Stream.make(png(3, 4))
      const asset = yield* gateway.saveAsset({ sessionId: id, mediaType: "image/png", content })
      return { assetId: asset.id, mediaType: "image/png" }
    })
    return { end, gateway, id, picture, talk }
  })

  it.scoped("is forgotten when it was in vain: what cannot be sent costs only itself", () =>
    Effect.gen(function* () {
      for (const what of ["a file", "text"]) {
        const { models, refusals, shown } = counting(50_000)
        const { end, picture } = yield* talking(models)
        const before = shown()
        const failed = what === "text" ? end("0xff".repeat(15_000)) : end("look", [yield* picture])
        expect((yield* failed).stopReason).toBe("failed")
        const count = refusals.length
        expect((yield* end("never mind")).stopReason).toBe("completed")
        // The file is what is named first, before anything is cut.
        expect(refusals.length - count).toBe(what === "text" ? 0 : 1)
        expect(shown()).toBeGreaterThan(before)
      }
    })
  )

  it.scoped("holds only as long as the files are shown that it was learned with", () =>
    Effect.gen(function* () {
      const { models, shown } = counting(8_000)
      const { end, gateway, id, picture } = yield* talking(models)
      const before = shown()
      const file = yield* picture
      expect((yield* end("look", [file])).stopReason).toBe("completed")
      expect((yield* end("and?")).stopReason).toBe("completed")
      expect(shown()).toBeLessThan(before)
      yield* gateway.deleteAsset(id, file.assetId)
      expect((yield* end("so?")).stopReason).toBe("completed")
      expect(shown()).toBeGreaterThan(before)
    })
  )

  it.scoped("is not learned again from files that are no longer in the view: they are named from then on", () =>
    Effect.gen(function* () {
      const { models, refusals, requests, shown } = counting(8_000)
      const { end, picture, talk } = yield* talking(models)
      const before = shown()
      yield* end("look", [yield* picture])
      const count = refusals.length
      expect(count).toBeGreaterThan(0)
      yield* talk(9)
      expect(View.files(requests.at(-1)?.view ?? [])).toHaveLength(0)
      expect(shown()).toBeGreaterThan(before)
      expect(refusals).toHaveLength(count)
    })
  )

  it.scoped("does not hold for another model of the session", () =>
    Effect.gen(function* () {
      const limited = { contextTokens: 20_000 }
      const dense = modelOf(
        ({ view }) => (size(view) > 11_808 ? Stream.fail(counted(size(view))) : Stream.fromIterable(said("so"))),
        limited
      )
      const light = modelOf(() => Stream.fromIterable(said("so")), { ...limited, model: "light" })
      let models = dense.models
      const { end } = yield* talking(
        Model.resolve((session) => Effect.flatMap(models, ({ resolve }) => resolve(session)))
      )
      expect(size(dense.requests.at(-1)?.view ?? [])).toBeLessThan(11_808)
      models = light.models
      yield* end("and you?")
      expect(size(light.requests.at(-1)?.view ?? [])).toBeGreaterThan(24_000)
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
