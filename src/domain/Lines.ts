/** Cuts bytes that come in any pieces into lines, of which at most one is kept, and none of more than so many bytes. */

/** The lines that are whole now, without their ends; `isTooLong` when the one after them cannot be a line. */
interface Cut {
  readonly lines: ReadonlyArray<Uint8Array>
  readonly isTooLong: boolean
}

export interface Lines {
  readonly take: (bytes: Uint8Array) => Cut
  /** What came after the last line end; null when nothing did. */
  readonly rest: () => Uint8Array | null
}

const lineEnd = 10

const joined = (pieces: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const [only] = pieces
  if (only !== undefined && pieces.length === 1) return only
  const all = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

/** Before the first byte. */
export const make = (mostBytes: number): Lines => {
  let pieces: Array<Uint8Array> = []
  let size = 0

  const keep = (piece: Uint8Array) => {
    if (piece.length === 0) return
    pieces.push(piece)
    size += piece.length
  }

  const whole = (): Uint8Array => {
    const line = joined(pieces, size)
    pieces = []
    size = 0
    return line
  }

  return {
    take: (bytes) => {
      const lines: Array<Uint8Array> = []
      let from = 0
      for (let end = bytes.indexOf(lineEnd); end >= 0; end = bytes.indexOf(lineEnd, from)) {
        keep(bytes.subarray(from, end))
        if (size > mostBytes) return { lines, isTooLong: true }
        lines.push(whole())
        from = end + 1
      }
      // A piece may be a part of a buffer that is used again.
      keep(bytes.slice(from))
      return { lines, isTooLong: size > mostBytes }
    },
    rest: () => (size === 0 ? null : whole())
  }
}
