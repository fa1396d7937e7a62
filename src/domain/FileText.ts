/** The text of a file, by its content: UTF-8, or UTF-16 with a byte order mark. Pure. */

/** UTF-8 has at most three bytes for a UTF-16 unit, UTF-16 two. */
const bytesPerUnit = 3

/** How many bytes of a file are enough for `beginning`, which also sees by them whether there are more. */
export const bytesOf = (length: number): number => length * bytesPerUnit + 1

const encodingOf = ([first, second]: Uint8Array): string => {
  if (first === 0xff && second === 0xfe) return "utf-16le"
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8"
}

/**
 * Returns the beginning of a text: all of it, or at least `length` UTF-16 units. Reads no more than that takes. Returns
 * null for bytes that are no text, unless `isText` says that they are one; then what cannot be read becomes U+FFFD.
 */
export const beginning = (content: Uint8Array, length: number, isText: boolean): string | null => {
  const head = content.subarray(0, length * bytesPerUnit)
  try {
    const decoder = new TextDecoder(encodingOf(head), { fatal: !isText })
    // A character that was cut off is left out.
    const text = decoder.decode(head, { stream: head.length < content.length })
    return text.includes("\0") && !isText ? null : text
  } catch {
    return null
  }
}
