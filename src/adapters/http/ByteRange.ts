/** Which bytes of a file a request asks for, by RFC 9110. Pure. */

/** `length` bytes from `offset`. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

/**
 * Returns the one range of a `Range` header. "whole" if it has no range that is understood here: other units, several
 * ranges and invalid ranges are ignored, as the RFC allows. "outside" if the file has none of the bytes.
 */
export const of = (header: string | undefined, size: number): ByteRange | "whole" | "outside" => {
  const [, from = "", to = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec((header ?? "").trim()) ?? []
  if (from === "" && to === "") return "whole"
  if (from === "") {
    const length = Math.min(Number(to), size)
    return length === 0 ? "outside" : { offset: size - length, length }
  }
  const offset = Number(from)
  const last = to === "" ? size - 1 : Math.min(Number(to), size - 1)
  if (to !== "" && Number(to) < offset) return "whole"
  return offset >= size ? "outside" : { offset, length: last - offset + 1 }
}

/** Whether a list of entity tags, as in `If-None-Match`, contains this one. A weak tag matches its strong one. */
export const matches = (header: string | undefined, tag: string): boolean =>
  header !== undefined &&
  (header.trim() === "*" || header.split(",").some((each) => each.trim().replace(/^W\//, "") === tag))
