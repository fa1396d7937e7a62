/**
 * The beginning and the end of a text of any length that comes in pieces: at most `limit` bytes of UTF-8, no character
 * split, memory in proportion to the limit. What was left out is counted in bytes. Pieces hold whole characters.
 */
import { byteLength } from "./Limits.js"

export interface Excerpt {
  readonly limit: number
  /** Bytes received in total. */
  readonly total: number
  /** The text's beginning: more than is kept in the end if its characters have more than one byte. */
  readonly head: string
  /** The text after `head`, or the last part of it. */
  readonly tail: string
}

export const empty = (limit: number): Excerpt => ({ limit, total: 0, head: "", tail: "" })

const headLimit = ({ limit }: Excerpt): number => Math.floor(limit / 2)
const tailLimit = ({ limit }: Excerpt): number => Math.ceil(limit / 2)

/** Counts in UTF-16 units: none takes less than a byte, so what is kept is enough in bytes. */
export const append = (excerpt: Excerpt, piece: string): Excerpt => {
  const room = headLimit(excerpt) - excerpt.head.length
  const tail = excerpt.tail + piece.slice(room)
  const kept = tailLimit(excerpt)
  return {
    limit: excerpt.limit,
    total: excerpt.total + byteLength(piece),
    head: excerpt.head + piece.slice(0, room),
    // Cut only now and then: each cut copies what is kept.
    tail: tail.length > 2 * kept ? tail.slice(tail.length - kept) : tail
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

const continues = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80

const firstBytes = (text: string, limit: number): string => {
  const bytes = encoder.encode(text.replace(/[\uD800-\uDBFF]$/, ""))
  let end = Math.min(limit, bytes.length)
  while (end > 0 && continues(bytes[end])) end--
  return decoder.decode(bytes.subarray(0, end))
}

const lastBytes = (text: string, limit: number): string => {
  const bytes = encoder.encode(text.replace(/^[\uDC00-\uDFFF]/, ""))
  let begin = Math.max(0, bytes.length - limit)
  while (continues(bytes[begin])) begin++
  return decoder.decode(bytes.subarray(begin))
}

/** The whole text, or its two ends with a line between them that says how many bytes are missing. */
export const result = (excerpt: Excerpt): { readonly text: string; readonly truncatedBytes: number } => {
  if (excerpt.total <= excerpt.limit) return { text: excerpt.head + excerpt.tail, truncatedBytes: 0 }
  const head = firstBytes(excerpt.head, headLimit(excerpt))
  const tail = lastBytes(excerpt.head.slice(head.length) + excerpt.tail, tailLimit(excerpt))
  const truncatedBytes = excerpt.total - byteLength(head) - byteLength(tail)
  return { text: `${head}\n[… ${truncatedBytes} bytes left out here …]\n${tail}`, truncatedBytes }
}
