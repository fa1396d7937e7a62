import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as ImageHeader from "../../../src/domain/ImageHeader.js"
import * as Pictures from "../../support/fixtures/pictures.js"

const side = FastCheck.integer({ min: 1, max: 16_383 })

const formats = [
  ["image/png", Pictures.png],
  ["image/gif", Pictures.gif],
  ["image/jpeg", Pictures.jpeg],
  ["image/webp", Pictures.webpExtended],
  ["image/webp", Pictures.webpLossless],
  ["image/webp", Pictures.webpLossy]
] as const

describe("ImageHeader", () => {
  for (const [mediaType, picture] of formats) {
    it.prop(
      `reads the size of ${picture.name}, and waits for a header that is not complete`,
      [side, side],
      ([width, height]) => {
        const bytes = picture(width, height)
        expect(ImageHeader.read(bytes)).toEqual({ mediaType, width, height })
        for (let length = 0; length < bytes.length; length++) {
          const part = ImageHeader.read(bytes.subarray(0, length))
          expect(part === "incomplete" || (part !== null && part.width === width)).toBe(true)
        }
      }
    )
  }

  it("reads sizes beyond 16 bits", () => {
    expect(ImageHeader.read(Pictures.png(100_000, 2 ** 31 - 1))).toMatchObject({ width: 100_000, height: 2 ** 31 - 1 })
    expect(ImageHeader.read(Pictures.webpExtended(2 ** 24, 70_000))).toMatchObject({ width: 2 ** 24, height: 70_000 })
  })

  it("finds a frame behind a long segment", () => {
    expect(ImageHeader.read(Pictures.jpeg(3, 4, 60_000))).toMatchObject({ width: 3, height: 4 })
  })

  it("reads from a part of a larger buffer", () => {
    const bytes = new Uint8Array([9, 9, 9, ...Pictures.gif(3, 4)])
    expect(ImageHeader.read(bytes.subarray(3))).toMatchObject({ width: 3, height: 4 })
  })

  it.each([
    "\x89PNG\r\n\x1a\n<html>404</html>           ",
    "\xff\xd8\xff\xda\0\x08 no frame before the scan",
    "\xff\xd8\xff\xe0\0\0 a segment without length",
    "\xff\xd8\xff\xe0\0\x04ab no marker where one must be",
    "RIFF\0\0\0\0WEBPJUNK and nothing that is known",
    "RIFF\0\0\0\0WEBPVP8L\0\0\0\0 no signature of its own",
    "<html>404</html>"
  ])("finds no header in %j", (text) => {
    expect(ImageHeader.read(Uint8Array.from(text, (letter) => letter.charCodeAt(0)))).toBeNull()
  })

  it.prop(
    "reading ends, whatever bytes follow a known start",
    [FastCheck.uint8Array({ maxLength: 300 })],
    ([bytes]) => {
      for (const start of ["\xff\xd8\xff", "RIFF\0\0\0\0WEBPVP8X", "GIF87a", "\x89PNG\r\n\x1a\n"]) {
        ImageHeader.read(Uint8Array.of(...Array.from(start, (letter) => letter.charCodeAt(0)), ...bytes))
      }
    }
  )
})
