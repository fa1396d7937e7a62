import { expect, it } from "@effect/vitest"
import { FastCheck, Option, Predicate } from "effect"
import { atOnce } from "../../../../src/domain/InPieces.js"
import * as JsonScan from "../../../../src/adapters/http/JsonScan.js"

/** Counts the values in all arrays and objects; an empty one counts as if it had one value. */
const countOf = (value: unknown): number => {
  if (!Array.isArray(value) && !Predicate.isReadonlyRecord(value)) return 0
  const inner: ReadonlyArray<unknown> = Array.isArray(value) ? value : Object.values(value)
  return inner.reduce<number>((sum, one) => sum + countOf(one), Math.max(1, inner.length))
}

/** Scans the bytes in pieces of the given length. */
const scanned = (bytes: Uint8Array, length: number) => {
  const scan = JsonScan.make()
  let values = 0
  for (let from = 0; from < bytes.length; from += length) values = scan.take(bytes.subarray(from, from + length))
  return { scan, values }
}

const encode = (text: string) => new TextEncoder().encode(text)
const length = FastCheck.integer({ min: 1, max: 7 })

it.prop(
  "values are counted in pieces of any size, and nothing inside a string is counted",
  [FastCheck.jsonValue(), length],
  ([value, length]) => {
    const texts = { value, '"\\': '[{,"\\' }
    expect(scanned(encode(JSON.stringify(texts)), length).values).toBe(countOf(texts))
  }
)

/** Long enough to be parsed in pieces. */
const filler = "ä".repeat(132_000)

/** Objects with lists everywhere, as JSON with or without whitespace, and sometimes with an error in it. */
const texts = FastCheck.tuple(
  FastCheck.array(FastCheck.tuple(FastCheck.constantFrom("a", "b", "__proto__"), FastCheck.jsonValue()), {
    maxLength: 3
  }),
  FastCheck.array(FastCheck.jsonValue(), { maxLength: 4 }),
  FastCheck.constantFrom(0, 1),
  FastCheck.option(
    FastCheck.tuple(
      FastCheck.nat(),
      FastCheck.constantFrom("[", "]", "{", "}", ",", '"', "\\", "1", "\ufeff", "\u00a0")
    )
  )
).map(([fields, items, indent, damage]) => {
  const list = JSON.stringify(items, null, indent)
  const all = [
    ...fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`),
    `"messages":${list}`
  ]
  const text = `{${all.join(",")},"filler":"FILLER"}`
  if (damage === null) return text
  const at = damage[0] % text.length
  return text.slice(0, at) + damage[1] + text.slice(at)
})

it.prop(
  "parsing in pieces gives the same as parsing at once, and nothing for invalid JSON",
  [texts, length],
  ([short, length]) => {
    const text = short.replace("FILLER", filler)
    const { scan } = scanned(encode(text), 1_000 * length)
    const whole = (() => {
      try {
        return Option.some<unknown>(JSON.parse(new TextDecoder().decode(encode(text))))
      } catch {
        return Option.none()
      }
    })()
    expect(atOnce(JsonScan.parse(encode(text), scan))).toEqual(whole)
  },
  { fastCheck: { numRuns: 250 } }
)

it("the only list in the outermost object is parsed in pieces of bounded size, wherever it stands", () => {
  const items = Array.from({ length: 15_000 }, (_, n) => ({ role: "user", parts: [{ type: "text", text: `${n}` }] }))
  const pieces = (value: unknown) => {
    const bytes = encode(JSON.stringify(value))
    const work = JsonScan.parse(bytes, scanned(bytes, 65_536).scan)
    let count = 1
    let step = work.next()
    for (; step.done !== true; step = work.next()) count++
    expect(step.value).toEqual(Option.some(value))
    return count
  }
  expect(pieces({ messages: items })).toBe(16)
  expect(pieces({ before: { deep: [1, [2]] }, messages: items, after: 1 })).toBe(16)
  expect(pieces({ before: { messages: [1] }, messages: items, after: { messages: [[{}], "]"] } })).toBe(16)
  expect(pieces({ '\\"messages\\":["': '"messages":[', 'messages"\\': items, "]": "\\" })).toBe(16)
  expect(pieces({ messages: items.map((item) => ({ ...item, more: "x".repeat(1_000) })) })).toBeGreaterThan(50)
  expect(pieces({ messages: items, more: [1] })).toBe(2)
  expect(pieces(items)).toBe(2)
})

it("invalid UTF-8 is invalid JSON, in an item and around the list", () => {
  const text = JSON.stringify({ messages: ["x", filler, "y"], more: "z" })
  for (const character of ["x", "ä", "y", "z"]) {
    const bytes = encode(text)
    bytes[encode(text.slice(0, text.indexOf(`"${character}`) + 1)).length] = 0xff
    expect(atOnce(JsonScan.parse(bytes, scanned(bytes, 1_000).scan))).toEqual(Option.none())
  }
})
