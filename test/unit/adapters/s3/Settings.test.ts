import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { S3Assets } from "skein/s3"

const good: S3Assets.Options = {
  bucket: "my-bucket",
  endpoint: "https://s3.eu-central-1.amazonaws.com",
  region: "eu-central-1",
  accessKeyId: "AKIA",
  secretAccessKey: Redacted.make("canary/secret")
}

const build = (options: Partial<S3Assets.Options>) =>
  Effect.scoped(Layer.build(S3Assets.layer({ ...good, ...options })))

const wrong: ReadonlyArray<readonly [string, Partial<S3Assets.Options>]> = [
  ["bucket", { bucket: "My_Bucket" }],
  ["bucket", { bucket: "a" }],
  ["endpoint", { endpoint: "s3.amazonaws.com" }],
  ["endpoint", { endpoint: "ftp://host" }],
  ["endpoint", { endpoint: "https://user:canary@host" }],
  ["endpoint", { endpoint: "https://host/?canary" }],
  ["region", { region: "" }],
  ["prefix", { prefix: "" }],
  ["prefix", { prefix: "/a" }],
  ["prefix", { prefix: "a/" }],
  ["prefix", { prefix: "a/../b" }],
  ["prefix", { prefix: "a b" }],
  ["prefix", { prefix: "a".repeat(257) }],
  ["accessKeyId", { accessKeyId: "AKIA\n" }],
  ["accessKeyId", { accessKeyId: "" }],
  ["secretAccessKey", { secretAccessKey: Redacted.make("canary\n") }],
  ["sessionToken", { sessionToken: Redacted.make("") }]
]

describe("settings of a bucket", () => {
  it.effect("are accepted if they are valid", () =>
    Effect.gen(function* () {
      yield* build({})
      yield* build({ prefix: "a/b.c", pathStyle: false, sessionToken: Redacted.make("token=="), region: "auto" })
      yield* build({
        prefix: undefined,
        pathStyle: undefined,
        sessionToken: undefined,
        endpoint: "http://[::1]:9000/s3/"
      })
    })
  )

  for (const [field, options] of wrong) {
    it.effect(`P12 clear refusal: ${field} is refused by its name: ${JSON.stringify(Object.values(options))}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(build(options))
        expect(error).toMatchObject({ _tag: "InvalidInput", field })
        expect(`${error.message} ${JSON.stringify(error)}`).not.toContain("canary")
      })
    )
  }
})
