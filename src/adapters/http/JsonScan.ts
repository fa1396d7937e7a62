/**
 * Scans a JSON text that comes in pieces, without parsing it: how many values it has, and where the items of a list in
 * its outermost object are, so that they can be parsed one by one. Pure.
 *
 * The result is right for any JSON. For other texts it may be wrong; they fail when their parts are parsed.
 */
import { Option, Predicate } from "effect"
import type { InPieces } from "../../domain/InPieces.js"
import * as JsonSize from "../../domain/JsonSize.js"

const [comma, openBracket, closeBracket, closeBrace] = [0x2c, 0x5b, 0x5d, 0x7d]

/** The one list that is a field of the outermost object: offsets of its brackets, and of the commas between its items. */
interface List {
  readonly start: number
  readonly commas: Array<number>
  end: number | null
}

export interface JsonScan {
  /** Takes the next piece, and returns how many values have begun so far: those after a comma, a bracket or a brace. */
  readonly take: (piece: Uint8Array) => number
  /** The list, if there is exactly one. */
  readonly list: () => List | null
}

export const make = (): JsonScan => {
  const size = JsonSize.make()
  let taken = 0
  let lists = 0
  let list: List | null = null

  const note = (mark: number, offset: number) => {
    switch (mark) {
      case openBracket:
        if (size.depth() === 2 && ++lists === 1) list = { start: offset, commas: [], end: null }
        break
      case closeBracket:
      case closeBrace:
        if (size.depth() === 1 && list !== null) list.end ??= offset
        break
      case comma:
        if (size.depth() === 2 && list !== null && list.end === null) list.commas.push(offset)
    }
  }

  return {
    take: (piece) => {
      size.take(piece, (mark, at) => note(mark, taken + at))
      taken += piece.length
      return size.values()
    },
    list: () => (lists === 1 ? list : null)
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true })
/** Within a text, a byte order mark is just another character. */
const decoderWithin = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The most bytes and items that are parsed in one go. A larger item is a portion of its own. */
const portion = { bytes: 256 * 1024, items: 1000 }

const isList = (value: unknown): value is Array<unknown> => Array.isArray(value)

const isBlank = (text: string): boolean => /^[ \t\n\r]*$/.test(text)

/** Parses a scanned text: items of the list in pieces, all else at once. Returns none if it is not JSON in UTF-8. */
export function* parse(bytes: Uint8Array, scan: JsonScan): InPieces<Option.Option<unknown>> {
  try {
    return Option.some(yield* parsed(bytes, scan))
  } catch {
    return Option.none()
  }
}

function* parsed(bytes: Uint8Array, scan: JsonScan): InPieces<unknown> {
  const list = scan.list()
  const end = list?.end ?? null
  if (list === null || end === null || bytes.length <= portion.bytes) return yield* atOnce(bytes)
  const before = decoder.decode(bytes.subarray(0, list.start + 1))
  const shell: unknown = JSON.parse(before + decoderWithin.decode(bytes.subarray(end)))
  const items = Predicate.isReadonlyRecord(shell) ? Object.values(shell).find(isList) : undefined
  // A later field of the same name has replaced the list.
  if (items === undefined) return yield* atOnce(bytes)
  if (list.commas.length === 0 && isBlank(decoderWithin.decode(bytes.subarray(list.start + 1, end)))) return shell
  let from = list.start + 1
  let pause = { bytes: from + portion.bytes, items: portion.items }
  for (const to of [...list.commas, end]) {
    items.push(JSON.parse(decoderWithin.decode(bytes.subarray(from, to))))
    from = to + 1
    if (from < pause.bytes && items.length < pause.items) continue
    pause = { bytes: from + portion.bytes, items: items.length + portion.items }
    yield
  }
  return shell
}

function* atOnce(bytes: Uint8Array): InPieces<unknown> {
  const text = decoder.decode(bytes)
  if (bytes.length > portion.bytes) yield
  const value: unknown = JSON.parse(text)
  return value
}
