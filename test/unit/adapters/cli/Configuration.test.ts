import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Configuration from "../../../../src/adapters/cli/Configuration.js"
import * as Providers from "../../../../src/adapters/providers/Providers.js"
import * as Program from "./Program.js"

const local = { local: { kind: "chat-completions", baseUrl: "http://127.0.0.1:1/v1" } }

/** The settings from a file, if there is one, and from variables. */
const load = (file: unknown, env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const home = yield* Program.make()
    if (file !== null) yield* home.write(".config/skein/config.json", JSON.stringify(file))
    return yield* Configuration.load({ platform: "linux", env, home: home.at(""), cwd: home.workdir })
  }).pipe(Effect.provide(NodeFileSystem.layer))

describe("Configuration", () => {
  it.scoped("without a file there are no providers and no model", () =>
    Effect.gen(function* () {
      const { providers, standard } = yield* load(null)
      expect(providers).toEqual({ providers: {} })
      expect(standard).toBe(null)
    })
  )

  it.scoped("the model is SKEIN_MODEL, else the file's, else that of the key that there is", () =>
    Effect.gen(function* () {
      const key = { ANTHROPIC_API_KEY: "k" }
      const file = { model: "local/a/b", providers: local }
      const all = yield* load(file, { ...key, SKEIN_MODEL: "openai/m" })
      expect(all.standard).toEqual({ provider: "openai", model: "m" })
      expect((yield* load(file, { ...key, SKEIN_MODEL: "" })).standard).toEqual({ provider: "local", model: "a/b" })
      expect((yield* load({ providers: local }, key)).standard?.provider).toBe("anthropic")
      expect((yield* load(null, { OPENAI_API_KEY: "k" })).standard?.provider).toBe("openai")
      expect((yield* load({ providers: local })).standard).toBe(null)
    })
  )

  it.scoped("where no model is named it says so, and names the providers that there are", () =>
    Effect.gen(function* () {
      const configuration = yield* load({ providers: local })
      const error = yield* Effect.flip(Configuration.modelFor(configuration, null))
      expect(error.message).toContain("configured providers: local")
      const own = { provider: "script", model: "s.json" }
      expect(yield* Configuration.modelFor(configuration, own)).toEqual(own)
    })
  )

  it.scoped("lists models to choose from, the default one first, with what they cost", () =>
    Effect.gen(function* () {
      const prices = { input: 3, output: 15, cachedInput: 0.3 }
      const file = { model: "local/a", models: { "local/b/c": {}, "local/a": { prices } }, providers: local }
      const { providers, standard } = yield* load(file)
      const models = yield* Providers.models(providers, standard === null ? {} : { standard })
      expect(models.offered).toEqual([
        { provider: "local", model: "a", standard: true, prices },
        { provider: "local", model: "b/c", standard: false, prices: null }
      ])
      for (const [models, said] of [
        [{ "local/a": { prices: { input: -1, output: 15 } } }, "models.local/a.prices.input"],
        [{ "no model": {} }, "models.no model: expected PROVIDER/MODEL"],
        [{ "local/a": { price: 1 } }, "models.local/a.price: unknown field"]
      ] as const) {
        expect((yield* Effect.flip(load({ models }))).message).toContain(said)
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("names the variables that the shell's commands inherit", () =>
    Effect.gen(function* () {
      expect((yield* load(null)).inherit).toEqual([])
      expect((yield* load({ shell: {} })).inherit).toEqual([])
      expect((yield* load({ shell: { inherit: ["KUBECONFIG", "AWS_PROFILE"] } })).inherit).toEqual([
        "KUBECONFIG",
        "AWS_PROFILE"
      ])
      const error = yield* Effect.flip(load({ shell: { inherit: ["KUBECONFIG", "A=b"] } }))
      expect(error.message).toContain("shell.inherit.1: expected a variable's name")
    })
  )

  it.scoped("what is wrong is said in few words, for the kind of provider that is meant", () =>
    Effect.gen(function* () {
      const server = { kind: "chat-completions", baseUrl: "http://127.0.0.1:1/v1" }
      const kinds = 'expected "chat-completions", "anthropic" or "openai"'
      for (const [file, detail] of [
        [{ providers: { local: { kind: "chat" } } }, `providers.local.kind: ${kinds}`],
        [{ providers: { local: {} } }, "providers.local.kind: missing"],
        [{ providers: { local: { kind: "chat-completions" } } }, "providers.local.baseUrl: missing"],
        [
          { providers: { own: { kind: "anthropic", contextTokens: "x" } } },
          "providers.own.contextTokens: expected a number"
        ],
        [{ providers: { local: { ...server, maxTokens: 1 } } }, "providers.local.maxTokens: unknown field"],
        [{ providers: { local: { ...server, apiKey: "sk-1" } } }, "providers.local.apiKey: expected an object"],
        [{ providers: { "a b": server } }, "providers.a b: unknown field"],
        [{ providers: [] }, "providers: expected an object"],
        [
          { providers: { local: { ...server, headers: { a: 1 } } } },
          "providers.local.headers.a: expected a string or an object"
        ],
        [{ models: { "local/a": { prices: 1 } } }, "models.local/a.prices: expected an object"],
        [{ shell: { inherit: "A" } }, "shell.inherit: expected a list"],
        [[], "expected an object"]
      ]) {
        expect(yield* Effect.flip(load(file))).toMatchObject({ _tag: "ConfigurationUnusable", issues: [{ detail }] })
      }
    })
  )

  it.scoped("all that is wrong is said, one line for each place, in the order of the file", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        load({
          shell: { inherit: ["A=b"] },
          providers: {
            own: { kind: "anthropic", baseUrl: "ftp://x", contextTokens: 1.5, headers: { a: 7, b: { env: "" } } },
            local: { kind: "chat-completions", more: {} },
            odd: { kind: "chat" },
            none: {},
            "a b": {}
          },
          model: "m"
        })
      )
      expect(error.message.split("\n").map((line) => line.replace(/^ {2}line 1, column \d+: /, ""))).toEqual([
        expect.stringMatching(/^cannot use the configuration .*config\.json:$/),
        "shell.inherit.0: expected a variable's name",
        "providers.own.baseUrl: must be an http or https URL without user name and password",
        "providers.own.contextTokens: expected an integer",
        "providers.own.headers.a: expected a string or an object",
        "providers.own.headers.b.env: expected a non empty string",
        "providers.local.baseUrl: missing",
        "providers.local.more: unknown field",
        'providers.odd.kind: expected "chat-completions", "anthropic" or "openai"',
        "providers.none.kind: missing",
        "providers.a b: unknown field",
        "model: expected PROVIDER/MODEL"
      ])
    })
  )

  it.scoped("a misspelt field is noticed", () =>
    Effect.gen(function* () {
      for (const file of [{ provider: local }, { shell: { inherits: [] } }]) {
        expect(yield* Effect.flip(load(file))).toMatchObject({ _tag: "ConfigurationUnusable" })
      }
    })
  )
})
