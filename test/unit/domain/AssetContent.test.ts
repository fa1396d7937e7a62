import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Either, FastCheck } from "effect"
import * as AssetContent from "../../../src/domain/AssetContent.js"
import { gif, jpeg, png, webpLossy } from "../../support/fixtures/pictures.js"

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0))

const heads = {
  "image/png": png(3, 4),
  "image/jpeg": jpeg(3, 4),
  "image/gif": gif(3, 4),
  "image/webp": webpLossy(3, 4)
}

const image = FastCheck.constantFrom(...Object.entries(heads)).map(([type, head]) => ({ type, head }))

/** Takes content in pieces of these sizes. */
const takeAll = (rules: AssetContent.Rules, content: Uint8Array, sizes: ReadonlyArray<number>) =>
  Either.gen(function* () {
    let taken = AssetContent.nothing
    let at = 0
    for (const size of [...sizes, content.length]) {
      taken = yield* AssetContent.take(rules, taken, content.subarray(at, at + size))
      at += size
    }
    return yield* AssetContent.whole(rules, taken)
  })

const sizes = FastCheck.array(FastCheck.integer({ min: 0, max: 9 }), { maxLength: 9 })
const limit = 1_000

describe("AssetContent", () => {
  it.prop(
    "content whose type has no header to check is accepted whole, however it is split",
    [FastCheck.uint8Array({ maxLength: 60 }), sizes],
    ([content, sizes]) => {
      for (const mediaType of ["text/plain", "image/svg+xml", "application/octet-stream"]) {
        expect(takeAll({ mediaType, limit }, content, sizes)).toEqual(Either.right(content.length))
      }
    }
  )

  it.prop(
    "an image is accepted only as its actual type, however it is split",
    [image, image, sizes],
    ([one, two, sizes]) => {
      const outcome = takeAll({ mediaType: two.type, limit }, one.head, sizes)
      expect(Either.isRight(outcome)).toBe(one.type === two.type)
      if (Either.isLeft(outcome)) {
        expect(outcome.left).toMatchObject({ field: "content", limit: `content of type ${two.type}`, actual: one.type })
      }
    }
  )

  it.prop(
    "content is refused at the piece that exceeds the limit, and not before",
    [FastCheck.array(FastCheck.integer({ min: 0, max: 5 }), { minLength: 1 }), FastCheck.integer({ min: 0, max: 20 })],
    ([sizes, limit]) => {
      let taken: Either.Either<AssetContent.PartialContent, unknown> = Either.right(AssetContent.nothing)
      let sum = 0
      for (const size of sizes) {
        taken = Either.flatMap(taken, (before) =>
          AssetContent.take({ mediaType: "text/plain", limit }, before, new Uint8Array(size))
        )
        sum += size
        expect(Either.isRight(taken)).toBe(sum <= limit)
        if (Either.isLeft(taken)) return
      }
    }
  )

  it.each(Object.entries(heads))("%s is refused when its header is incomplete", (mediaType, head) => {
    const short = head.subarray(0, 2)
    expect(Either.isLeft(takeAll({ mediaType, limit }, short, []))).toBe(true)
    expect(Either.isLeft(takeAll({ mediaType, limit }, head.subarray(0, head.length / 2), []))).toBe(true)
    expect(Either.isLeft(takeAll({ mediaType, limit }, new Uint8Array(0), []))).toBe(true)
  })

  it("a media type must be type/subtype in lower case, and an allowed one", () => {
    const isTaken = (type: string, assetTypes: ReadonlyArray<string> | null = null) =>
      Either.isRight(AssetContent.mediaType(type, { assetTypes }))
    expect(["text/plain", "image/svg+xml", "application/vnd.a.b"].map((type) => isTaken(type))).toEqual([
      true,
      true,
      true
    ])
    for (const type of ["", "text", "Text/plain", "text/plain; charset=utf-8", "image/*", " text/plain", "a/b/c"]) {
      expect(isTaken(type)).toBe(false)
    }
    expect(isTaken("image/png", ["image/*"])).toBe(true)
    expect(isTaken("imagery/png", ["image/*"])).toBe(false)
    expect(isTaken("text/plain", ["text/plain"])).toBe(true)
    expect(isTaken("text/plain-2", ["text/plain"])).toBe(false)
    expect(isTaken("text/plain", [])).toBe(false)
  })

  it("a name has 1 to 255 characters of valid Unicode without NUL", () => {
    const isTaken = (name: string | null) => Either.isRight(AssetContent.name(name))
    expect([null, "a", "../../etc/passwd", "ä b\n", "😀".repeat(255)].map(isTaken)).toEqual(Arr.replicate(true, 5))
    expect(["", "a".repeat(256), "😀".repeat(256), "a\0b", "a\ud800b"].map(isTaken)).toEqual(Arr.replicate(false, 5))
  })

  it("refusals name the field, the limit and what was given, cut to its beginning", () => {
    const refusal = <A>(outcome: Either.Either<A, unknown>) => Either.flip(outcome).pipe(Either.getOrThrow)
    expect(refusal(AssetContent.mediaType("X".repeat(200), { assetTypes: null }))).toMatchObject({
      field: "mediaType",
      limit: "type/subtype in lower case, without parameters",
      actual: "X".repeat(100)
    })
    expect(refusal(AssetContent.mediaType("text/html", { assetTypes: ["image/*", "text/plain"] }))).toMatchObject({
      field: "mediaType",
      limit: "one of image/*, text/plain",
      actual: "text/html"
    })
    expect(refusal(AssetContent.name("a".repeat(256)))).toMatchObject({
      field: "name",
      limit: "1 to 255 characters",
      actual: "256"
    })
    expect(refusal(AssetContent.name("a\0"))).toMatchObject({
      field: "name",
      limit: "valid Unicode without NUL",
      actual: "something else"
    })
    const tooLong = AssetContent.take({ mediaType: "text/plain", limit: 3 }, AssetContent.nothing, bytes("abcd"))
    expect(refusal(tooLong)).toMatchObject({ field: "content", limit: "at most 3 bytes", actual: "4 bytes or more" })
    const noImage = AssetContent.take({ mediaType: "image/png", limit }, AssetContent.nothing, bytes("no image at all"))
    expect(refusal(noImage)).toMatchObject({
      field: "content",
      limit: "content of type image/png",
      actual: "other content"
    })
  })

  it("an image with a damaged header or an impossible size is refused", () => {
    const refusal = (mediaType: string, content: Uint8Array) =>
      Either.getOrNull(Either.flip(takeAll({ mediaType, limit }, content, [3, 20])))
    expect(refusal("image/png", bytes("\x89PNG\r\n\x1a\n<html>404</html>"))).toMatchObject({
      field: "content",
      limit: "content of type image/png",
      actual: "a damaged header"
    })
    for (const content of [png(0, 4), png(3, 0), png(65_536, 1)]) {
      expect(refusal("image/png", content)).toMatchObject({ limit: "pictures of 1 to 65535 pixels on each side" })
    }
    expect(refusal("image/png", png(65_535, 65_535))).toBeNull()
  })

  it("a header may end late, but only within the first mebibyte", () => {
    const late = (before: number) => {
      const pieces = Array.from({ length: before }, () => jpeg(3, 4, 60_000).subarray(2, 60_006))
      const start = jpeg(3, 4).subarray(0, 2)
      const whole = [start, ...pieces, jpeg(3, 4).subarray(2)]
      const rules = { mediaType: "image/jpeg", limit: 10_000_000 }
      return Either.gen(function* () {
        let content = AssetContent.nothing
        for (const piece of whole) content = yield* AssetContent.take(rules, content, piece)
        return yield* AssetContent.whole(rules, content)
      })
    }
    expect(Either.isRight(late(10))).toBe(true)
    expect(Either.isRight(late(40))).toBe(false)
  })

  it("keeps no bytes of content that it need not check or has already checked", () => {
    for (const [mediaType, content] of [
      ["text/plain", bytes("1234567890")],
      ["image/png", Uint8Array.of(...png(3, 4), ...new Uint8Array(9))]
    ] as const) {
      const taken = AssetContent.take({ mediaType, limit }, AssetContent.nothing, content)
      expect(Either.getOrThrow(taken)).toMatchObject({ size: content.length, nextLook: null })
      expect(Either.getOrThrow(taken).head.length).toBe(0)
    }
  })
})
