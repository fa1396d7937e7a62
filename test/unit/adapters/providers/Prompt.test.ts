import { assert, describe, it } from "@effect/vitest"
import type { LanguageModelV3Prompt } from "@ai-sdk/provider"
import { Effect } from "effect"
import * as Prompt from "../../../../src/adapters/providers/Prompt.js"
import * as Vendor from "../../../../src/adapters/providers/Vendor.js"
import { AssetId } from "../../../../src/domain/Asset.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { AssetFailed, AssetNotFound } from "../../../../src/domain/SkeinError.js"
import type { ViewFile } from "../../../../src/domain/View.js"
import type { StepRequest } from "../../../../src/services/Model.js"
import { pictures } from "../../../support/fixtures/pictures.js"
import { request } from "./StepRequests.js"

const vendor = Vendor.make({ provider: "p", model: "m" }, {}, { load: () => Promise.reject(new Error("not needed")) })

const assetId = AssetId.make("a1")

const file = (mediaType: string, name?: string): ViewFile => ({
  type: "file",
  assetId,
  mediaType,
  ...(name === undefined ? {} : { name })
})

const sent = (part: ViewFile, read?: StepRequest["file"]) =>
  Prompt.make(
    vendor,
    request({ system: null, view: [{ role: "user", parts: [part] }], ...(read === undefined ? {} : { file: read }) })
  ).pipe(Effect.map((prompt: LanguageModelV3Prompt) => prompt[0]?.content[0]))

const holding =
  (data: Uint8Array): StepRequest["file"] =>
  (_, most) =>
    Effect.succeed(data.subarray(0, most))

describe("Prompt", () => {
  it.effect("has a system message only if its text is not blank", () =>
    Effect.gen(function* () {
      const roles = (system: string | null) =>
        Effect.map(Prompt.make(vendor, request({ system })), (prompt) => prompt.map(({ role }) => role))
      assert.deepStrictEqual(yield* roles("Be brief."), ["system", "user"])
      assert.deepStrictEqual(yield* roles(null), ["user"])
      assert.deepStrictEqual(yield* roles(" \n"), ["user"])
    })
  )

  it.effect("sends images and PDFs as files", () =>
    Effect.gen(function* () {
      const contents = [
        ...Object.entries(pictures).map(([mediaType, picture]) => [mediaType, picture(3, 4)] as const),
        ["application/pdf", new TextEncoder().encode("%PDF-1.7\n")] as const
      ]
      for (const [mediaType, data] of contents) {
        assert.deepStrictEqual(yield* sent(file(mediaType, "x"), holding(data)), {
          type: "file",
          data,
          mediaType,
          filename: "x"
        })
      }
    })
  )

  it.effect("sends text as text, cut when it is long", () =>
    Effect.gen(function* () {
      const data = new TextEncoder().encode("naïve 🙂")
      for (const mediaType of ["text/markdown", "application/json", "application/ld+json", "image/svg+xml"]) {
        assert.deepStrictEqual(yield* sent(file(mediaType, "x"), holding(data)), {
          type: "text",
          text: `[The file "x" of type ${mediaType}:]\nnaïve 🙂`
        })
      }
      const long = yield* sent(file("text/plain"), holding(new TextEncoder().encode("x".repeat(100_001))))
      assert(typeof long === "object" && long.type === "text")
      assert.match(long.text, /^\[The file "a1" of type text\/plain:\]\nx{100000}…$/u)
    })
  )

  it.effect("sends as text what is text, whatever type it is declared as", () =>
    Effect.gen(function* () {
      for (const mediaType of [
        "application/x-yaml",
        "application/x-ipynb+json",
        "application/octet-stream",
        "video/mp2t",
        "audio/x-mod"
      ]) {
        assert.deepStrictEqual(yield* sent(file(mediaType, "x"), holding(new TextEncoder().encode("naïve 🙂"))), {
          type: "text",
          text: `[The file "x" of type ${mediaType}:]\nnaïve 🙂`
        })
      }
      for (const mediaType of ["text/plain", "application/octet-stream"]) {
        for (const bytes of [Buffer.from("\ufeffnaïve", "utf16le"), Buffer.from("\ufeffnaïve", "utf16le").swap16()]) {
          assert.deepStrictEqual(yield* sent(file(mediaType, "x"), holding(bytes)), {
            type: "text",
            text: `[The file "x" of type ${mediaType}:]\nnaïve`
          })
        }
      }
      const long = yield* sent(file("video/mp2t"), holding(new TextEncoder().encode("💡é".repeat(100_000))))
      assert(typeof long === "object" && long.type === "text")
      assert.match(long.text, /^\[The file "a1" of type video\/mp2t:\]\n(?:💡é){33333}\uFFFD…$/u)
    })
  )

  it.effect("only mentions a file of an unknown type that is no text, and reads none that is too large", () =>
    Effect.gen(function* () {
      const mentioned = {
        type: "text",
        text: `[The file "x" of type video/mp2t is attached. You cannot see its content.]`
      } as const
      for (const data of [Uint8Array.of(0x47, 0x00, 0x11), Uint8Array.of(0x47, 0xc3, 0x28), Buffer.from("a\0b")]) {
        assert.deepStrictEqual(yield* sent(file("video/mp2t", "x"), holding(data)), mentioned)
      }
      for (const mediaType of ["application/octet-stream", "image/png", "application/pdf"]) {
        const part = yield* sent({ ...file(mediaType), size: 100_000_000 })
        assert(typeof part === "object" && part.type === "text")
        assert.include(part.text, "too large for you, 100000000 bytes")
      }
    })
  )

  it.effect("reads of what is not sent whole only the beginning", () =>
    Effect.gen(function* () {
      const size = 3_000_000
      const contentOf = (head: Uint8Array) => {
        const content = new Uint8Array(size)
        content.set(head)
        return content
      }
      const database = contentOf(new TextEncoder().encode("SQLite format 3"))
      const document = contentOf(new TextEncoder().encode("%PDF-1.7\n"))
      const beginning = 300_004
      for (const [mediaType, content, expected] of [
        ["application/vnd.sqlite3", database, [beginning]],
        ["application/octet-stream", database, [beginning]],
        ["application/octet-stream", new Uint8Array(size).fill(120), [beginning]],
        ["text/plain", new Uint8Array(size).fill(120), [beginning]],
        ["application/octet-stream", document, [beginning, size]],
        ["application/octet-stream", document.subarray(0, 1_000), [1_000]],
        ["application/pdf", document, [size]]
      ] as const) {
        const read: Array<number> = []
        yield* sent({ ...file(mediaType), size: content.length }, (assetId, most) =>
          Effect.tap(holding(content)(assetId, most), (data) => read.push(data.length))
        )
        assert.deepStrictEqual(read, [...expected], mediaType)
      }
      const picture = contentOf(pictures["image/png"](3, 4))
      const part = yield* sent({ ...file("application/octet-stream"), size: 10_000_000 }, (assetId, most) =>
        most === undefined ? Effect.dieMessage("all was read") : holding(picture)(assetId, most)
      )
      assert(typeof part === "object" && part.type === "text")
      assert.include(part.text, "too large for you, 10000000 bytes")
    })
  )

  it.effect("sends pictures and PDFs as what they are, whatever type they are declared as", () =>
    Effect.gen(function* () {
      const pdf = new TextEncoder().encode("%PDF-1.7\n")
      for (const [declared, data, mediaType] of [
        ["image/jpg", pictures["image/jpeg"](3, 4), "image/jpeg"],
        ["application/octet-stream", pictures["image/png"](3, 4), "image/png"],
        ["text/plain", pictures["image/webp"](3, 4), "image/webp"],
        ["application/octet-stream", pdf, "application/pdf"]
      ] as const) {
        assert.deepStrictEqual(yield* sent(file(declared, "x"), holding(data)), {
          type: "file",
          data,
          mediaType,
          filename: "x"
        })
      }
    })
  )

  it.effect("mentions a file that a model cannot see, without reading it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* sent(file("application/zip", "all.zip")), {
        type: "text",
        text: `[The file "all.zip" of type application/zip is attached. You cannot see its content.]`
      })
    })
  )

  it.effect("sends a picture with the type of its content, whatever the message says", () =>
    Effect.gen(function* () {
      const part = yield* sent(file("image/jpeg", "x"), holding(pictures["image/png"](3, 4)))
      assert(typeof part === "object" && part.type === "file")
      assert.strictEqual(part.mediaType, "image/png")
    })
  )

  it.effect("only mentions a file that providers would refuse: damaged, or with too many pixels", () =>
    Effect.gen(function* () {
      const html = new TextEncoder().encode("<html>404</html>, and nothing else")
      for (const [mediaType, data, words] of [
        ["image/png", Uint8Array.of(...pictures["image/png"](3, 4).subarray(0, 8), ...html), "not a readable picture"],
        ["image/png", html, "not a readable picture"],
        ["image/png", new Uint8Array(0), "not a readable picture"],
        ["image/png", pictures["image/png"](8_001, 5), "8001 x 5 pixels"],
        ["image/png", pictures["image/png"](0, 5), "0 x 5 pixels"],
        ["application/pdf", html, "not a PDF"]
      ] as const) {
        const part = yield* sent(file(mediaType, "x"), holding(data))
        assert(typeof part === "object" && part.type === "text")
        assert.include(part.text, words)
      }
    })
  )

  it.effect("only mentions an image that is too large for a request", () =>
    Effect.gen(function* () {
      const part = yield* sent(file("image/png", "big.png"), holding(new Uint8Array(4_000_000)))
      assert(typeof part === "object" && part.type === "text")
      assert.include(part.text, "4000000 bytes")
    })
  )

  it.effect("sends the files of a result: pictures and PDFs as data, text as text, others by name", () =>
    Effect.gen(function* () {
      const picture = pictures["image/png"](3, 4)
      const contents: Readonly<Record<string, Uint8Array>> = {
        image_png: picture,
        application_pdf: new TextEncoder().encode("%PDF-1.7\n"),
        text_plain: new TextEncoder().encode("hello")
      }
      const files = ["image/png", "application/pdf", "text/plain", "application/zip"].map((mediaType) => ({
        ...file(mediaType, "x"),
        assetId: AssetId.make(mediaType.replace("/", "_"))
      }))
      const results = [
        { id: "c1", name: "look", text: "seen", files, isError: false },
        { id: "c2", name: "look", text: "not seen", isError: true }
      ]
      const [message] = yield* Prompt.make(
        vendor,
        request({
          system: null,
          view: [{ role: "tool", results }],
          file: (assetId) => Effect.succeed(contents[assetId] ?? new Uint8Array(0))
        })
      )
      assert.deepStrictEqual(message?.content, [
        {
          type: "tool-result",
          toolCallId: "c1",
          toolName: "look",
          output: {
            type: "content",
            value: [
              { type: "text", text: "seen" },
              { type: "image-data", data: Buffer.from(picture).toString("base64"), mediaType: "image/png" },
              {
                type: "file-data",
                data: Buffer.from("%PDF-1.7\n").toString("base64"),
                mediaType: "application/pdf",
                filename: "x"
              },
              { type: "text", text: '[The file "x" of type text/plain:]\nhello' },
              { type: "text", text: '[The file "x" of type application/zip is attached. You cannot see its content.]' }
            ]
          }
        },
        {
          type: "tool-result",
          toolCallId: "c2",
          toolName: "look",
          output: { type: "error-text", value: "not seen" }
        }
      ])
    })
  )

  it.effect("replaces a file that was deleted meanwhile with a note", () =>
    Effect.gen(function* () {
      const part = yield* sent(file("image/png", "x"), (assetId) =>
        Effect.fail(new AssetNotFound({ sessionId: SessionId.make("s1"), assetId }))
      )
      assert.deepStrictEqual(part, { type: "text", text: `[The file "x" of type image/png was deleted.]` })
    })
  )

  it.effect("fails the step if a file cannot be read", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        sent(file("image/png", "x"), (assetId) =>
          Effect.fail(new AssetFailed({ sessionId: SessionId.make("s1"), assetId, operation: "read", detail: "EIO" }))
        )
      )
      assert.strictEqual(error.reason, "rejected")
      assert.include(error.detail, "EIO")
    })
  )
})
