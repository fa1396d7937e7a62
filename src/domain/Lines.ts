/** Cuts bytes that come in pieces of any size into lines. Keeps at most one line, and none longer than a limit. */

/** The lines that are complete now, without their line ends; `isTooLong` when the next line is over the limit. */
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

/** Starts before the first byte. A line has at most `mostBytes`. */
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
      // Copied, because a piece may be part of a buffer that is used again.
      keep(bytes.slice(from))
      return { lines, isTooLong: size > mostBytes }
    },
    rest: () => (size === 0 ? null : whole())
  }
}
