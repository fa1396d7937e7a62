import { FileSystem, Path } from "@effect/platform"
import { SystemError } from "@effect/platform/Error"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Either, Schema } from "effect"
import * as Providers from "../../../../src/adapters/providers/Providers.js"
import { Anthropic } from "../../../../src/anthropic.js"
import * as ModelRef from "../../../../src/domain/ModelRef.js"
import * as FakeProvider from "./FakeProvider.js"
import { session } from "./Sessions.js"
import { parts, textOf } from "./StepRequests.js"

const decode = Schema.decodeUnknownEither(Providers.ProvidersConfig)
const decodeWithin = Schema.decodeUnknownEither(Providers.ProvidersConfig.fields.providers)

const files: Readonly<Record<string, string>> = {
  "/project/two.json": `[{ "text": "from the folder" }]`,
  "/elsewhere/one.json": `[{ "text": "from elsewhere" }]`,
  "/project/bad.json": `[{ "txet": "a misspelt field" }]`
}

const FileSystemTest = FileSystem.layerNoop({
  readFileString: (file) => {
    const text = files[file]
    return text === undefined
      ? Effect.fail(new SystemError({ reason: "NotFound", module: "FileSystem", method: "readFileString" }))
      : Effect.succeed(text)
  }
})

/** Resolves `provider/model`, with these variables set. */
const resolve = (
  ref: string | null,
  options: {
    readonly config?: unknown
    readonly variables?: Readonly<Record<string, string>>
    readonly standard?: ModelRef.ModelRef
  } = {}
) =>
  Effect.gen(function* () {
    const config = yield* decode(options.config ?? { providers: {} })
    const models = yield* Providers.models(
      config,
      options.standard === undefined ? {} : { standard: options.standard }
    ).pipe(
      Effect.provide([FileSystemTest, Path.layer]),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(options.variables ?? {}))))
    )
    const model = ref === null ? null : ModelRef.fromText(ref)
    return yield* models.resolve(session({ model, workdir: "/project" }))
  })

describe("a key or a header that cannot be sent", () => {
  it.effect("is refused by the name of its variable, without its value", () =>
    Effect.gen(function* () {
      const headers = { "x-team": { env: "TEAM" } }
      const config = { providers: { anthropic: { kind: "anthropic", headers } } }
      for (const [variable, variables] of [
        ["ANTHROPIC_API_KEY", { ANTHROPIC_API_KEY: "sk-canary\nsk-canary", TEAM: "blue" }],
        ["TEAM", { ANTHROPIC_API_KEY: "sk-canary", TEAM: "sk-canary😀" }]
      ] as const) {
        const error = yield* Effect.flip(resolve("anthropic/claude-x", { config, variables }))
        assert(error._tag === "ModelUnavailable")
        assert.include(error.message, `${variable} cannot be sent: it contains a line break`)
        assert.notInclude(JSON.stringify(error), "canary")
      }
    })
  )

  it.effect("is refused when the agent is made", () =>
    Effect.gen(function* () {
      const variables = ConfigProvider.fromMap(new Map([["ANTHROPIC_API_KEY", "sk-canary\n2"]]))
      const error = yield* Anthropic.models({ model: "claude-x" }).pipe(
        Effect.withConfigProvider(variables),
        Effect.flip
      )
      assert.include(JSON.stringify(error), "ANTHROPIC_API_KEY")
      assert.notInclude(JSON.stringify(error), "canary")
    })
  )
})

describe("a provider named like a property of every object", () => {
  it.effect("is not configured", () =>
    Effect.gen(function* () {
      for (const name of Object.getOwnPropertyNames(Object.prototype)) {
        assert.strictEqual((yield* Effect.flip(resolve(`${name}/m`)))._tag, "ModelUnavailable")
      }
    })
  )
})

describe("ProvidersConfig", () => {
  it("accepts the example in the documentation", () => {
    const config: unknown = {
      providers: {
        local: {
          kind: "chat-completions",
          baseUrl: "http://127.0.0.1:11434/v1",
          apiKey: { env: "LOCAL_KEY" },
          headers: { "x-team": "blue", "x-secret": { env: "TEAM_SECRET" } },
          contextTokens: 8192,
          maxOutputTokens: 1024,
          idleTimeoutMillis: 300_000
        },
        claude: { kind: "anthropic" }
      }
    }
    assert.deepStrictEqual<unknown>(Either.getOrThrow(decode(config)), config)
  })

  it("refuses invalid entries and names", () => {
    const entries: Readonly<Record<string, unknown>> = {
      "no base URL": { kind: "chat-completions" },
      "no URL": { kind: "chat-completions", baseUrl: "localhost" },
      "another scheme": { kind: "chat-completions", baseUrl: "file:///etc" },
      "a password": { kind: "chat-completions", baseUrl: "http://me:secret@127.0.0.1/v1" },
      "a key in clear": { kind: "openai", apiKey: "sk-clear" },
      "an unknown kind": { kind: "gopher", baseUrl: "http://127.0.0.1" },
      "a misspelt field": { kind: "openai", apikey: { env: "KEY" } }
    }
    for (const [what, entry] of Object.entries(entries)) {
      assert.isTrue(Either.isLeft(decode({ providers: { local: entry } })), what)
      assert.isTrue(Either.isLeft(decodeWithin({ local: entry })), `${what}, within another config`)
    }
    for (const name of ["script", "", "a/b", "-a", "__proto__x"]) {
      const config: unknown = JSON.parse(`{"providers":{${JSON.stringify(name)}:{"kind":"openai"}}}`)
      assert.isTrue(Either.isLeft(decode(config)), name)
    }
  })
})

describe("Providers.layer", () => {
  it.effect("has Anthropic and OpenAI built in, with keys from their own variables", () =>
    Effect.gen(function* () {
      const variables = { ANTHROPIC_API_KEY: "canary-a", OPENAI_API_KEY: "canary-o" }
      const claude = yield* resolve("anthropic/claude-sonnet-4-5", { variables })
      assert.deepStrictEqual([claude.provider, claude.model], ["anthropic", "claude-sonnet-4-5"])
      const gpt = yield* resolve("openai/gpt-5", { variables })
      assert.deepStrictEqual([gpt.provider, gpt.model], ["openai", "gpt-5"])
    })
  )

  it.effect("a missing key is reported with the variable to set", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(resolve("anthropic/claude-sonnet-4-5"))
      assert(missing._tag === "ModelUnavailable")
      assert.include(missing.detail, "ANTHROPIC_API_KEY")
      const blank = yield* Effect.flip(resolve("openai/gpt-5", { variables: { OPENAI_API_KEY: "" } }))
      assert(blank._tag === "ModelUnavailable")
      assert.include(blank.detail, "OPENAI_API_KEY")
    })
  )

  it.effect("an unknown provider is reported with the known ones", () =>
    Effect.gen(function* () {
      for (const name of ["nobody/model", "constructor/model", "__proto__/model"]) {
        const error = yield* Effect.flip(
          resolve(name, { config: { providers: { local: { kind: "chat-completions", baseUrl: "http://127.0.0.1" } } } })
        )
        assert(error._tag === "ModelUnavailable")
        assert.include(error.detail, "anthropic, openai, local, script")
      }
    })
  )

  it.effect("a session that names no model gets the standard one, if there is one", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(resolve(null)))._tag, "ModelUnavailable")
      const standard = { provider: "script", model: "two.json" }
      assert.strictEqual(textOf(yield* parts(yield* resolve(null, { standard }))), "from the folder")
    })
  )

  it.effect("plays scripts, whose paths start at the session's folder", () =>
    Effect.gen(function* () {
      assert.strictEqual(textOf(yield* parts(yield* resolve("script/two.json"))), "from the folder")
      assert.strictEqual(textOf(yield* parts(yield* resolve("script//elsewhere/one.json"))), "from elsewhere")
      const missing = yield* Effect.flip(resolve("script/none.json"))
      assert(missing._tag === "ModelUnavailable")
      assert.include(missing.detail, "/project/none.json")
      const bad = yield* Effect.flip(resolve("script/bad.json"))
      assert(bad._tag === "ModelUnavailable")
      assert.include(bad.detail, "txet")
    })
  )

  it.scoped("a named provider gets its key and headers from its variables, in each protocol", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      yield* fake.answer(
        FakeProvider.chat({ text: "one" }),
        FakeProvider.anthropic({ text: "two" }),
        FakeProvider.responses({ text: "three" })
      )
      const entry = { baseUrl: fake.url, apiKey: { env: "MY_KEY" }, headers: { "x-secret": { env: "MY_SECRET" } } }
      const variables = { MY_KEY: "canary-key", MY_SECRET: "canary-secret" }
      for (const kind of ["chat-completions", "anthropic", "openai"]) {
        const model = yield* resolve("mine/some/model", {
          variables,
          config: { providers: { mine: { kind, ...entry } } }
        })
        assert.deepStrictEqual([model.provider, model.model], ["mine", "some/model"])
        yield* parts(model)
        const { headers } = yield* fake.take
        assert.strictEqual(headers["x-api-key"] ?? headers.authorization?.replace("Bearer ", ""), "canary-key")
        assert.strictEqual(headers["x-secret"], "canary-secret")
      }
    })
  )

  it.scoped("a server at another URL is never sent a vendor's key", () =>
    Effect.gen(function* () {
      const fake = yield* FakeProvider.make
      const variables = { ANTHROPIC_API_KEY: "canary-vendor", OPENAI_API_KEY: "canary-vendor" }
      yield* fake.answer(FakeProvider.anthropic({ text: "a" }), FakeProvider.responses({ text: "b" }))
      for (const kind of ["anthropic", "openai"]) {
        const config = { providers: { [kind]: { kind, baseUrl: fake.url } } }
        yield* parts(yield* resolve(`${kind}/model`, { variables, config }))
      }
      assert.notInclude(JSON.stringify(yield* fake.received), "canary-vendor")
    })
  )

  it.effect("settings of a provider reach its models", () =>
    Effect.gen(function* () {
      const config = {
        providers: { local: { kind: "chat-completions", baseUrl: "http://127.0.0.1", contextTokens: 4096 } }
      }
      assert.strictEqual((yield* resolve("local/m", { config })).contextTokens, 4096)
    })
  )
})
