import { expect, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as JsonSize from "../../../src/domain/JsonSize.js"

/** The same count, byte by byte. */
const counted = (bytes: Uint8Array) => {
  const marks: Array<number> = []
  let [values, depth, deepest, isText, isEscaped] = [0, 0, 0, false, false]
  bytes.forEach((byte, at) => {
    const sign = String.fromCharCode(byte)
    if (isText) {
      if (/[\n\r]/.test(sign)) isText = isEscaped = false
      else if (isEscaped) isEscaped = false
      else if (sign === "\\") isEscaped = true
      else if (sign === '"') isText = false
      return
    }
    if (sign === '"') isText = true
    if (!/[[\]{},]/.test(sign)) return
    marks.push(at)
    if (/[[{,]/.test(sign)) values++
    if (/[[{]/.test(sign)) deepest = Math.max(deepest, ++depth)
    if (/[\]}]/.test(sign) && depth > 0) depth--
  })
  return { marks, values, depth, deepest }
}

const sized = (bytes: Uint8Array, cuts: ReadonlyArray<number>) => {
  const size = JsonSize.make()
  const marks: Array<number> = []
  let from = 0
  for (const to of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    const start = from
    size.take(bytes.subarray(from, to), (_, at) => marks.push(start + at))
    from = to
  }
  return { marks, values: size.values(), depth: size.depth(), deepest: size.deepest() }
}

const pieces = fc.array(fc.nat(), { maxLength: 4 })

it("any bytes are counted as they are one by one, in pieces of any size", () => {
  const signs = fc.constantFrom('"', "\\", "\n", "\r", ",", "[", "]", "{", "}", "a", "é")
  fc.assert(
    fc.property(fc.array(signs, { maxLength: 60 }), pieces, (text, cuts) => {
      const bytes = new TextEncoder().encode(text.join(""))
      expect(sized(bytes, cuts)).toEqual(counted(bytes))
    }),
    { numRuns: 2_000 }
  )
})

it("the values of any JSON are counted, and nothing in its texts", () => {
  const countOf = (value: unknown): number => {
    if (typeof value !== "object" || value === null) return 0
    const inner: ReadonlyArray<unknown> = Object.values(value)
    return 1 + Math.max(0, inner.length - 1) + inner.map(countOf).reduce((sum, count) => sum + count, 0)
  }
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(2), pieces, (value, space, cuts) => {
      const { depth, values } = sized(new TextEncoder().encode(JSON.stringify(value, null, space)), cuts)
      expect({ depth, values }).toEqual({ depth: 0, values: countOf(value) })
    })
  )
})

it("a piece is searched a few times, however many lines and texts it has", () => {
  const searchedIn = (text: string) => {
    const piece = new TextEncoder().encode(text)
    let searched = 0
    const indexOf = (byte: number, from: number) => {
      const found = Uint8Array.prototype.indexOf.call(piece, byte, from)
      searched += (found === -1 ? piece.length : found + 1) - from
      return found
    }
    JsonSize.make().take(Object.assign(piece, { indexOf }))
    return searched / piece.length
  }
  for (const item of ['"a",', '"\\"\\"",', '"', '"\\\\",', "1,"]) {
    for (const end of ["", "\n", "\r", "\r\n", "\n\r"]) {
      expect(searchedIn(`${item}${end}`.repeat(1_000)), item + end).toBeLessThan(4)
    }
  }
})
