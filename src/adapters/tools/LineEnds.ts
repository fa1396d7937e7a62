/**
 * The line ends of a text file: a line feed, alone or after a carriage return. A carriage return alone does not end a
 * line. Everything here works on UTF-8 bytes and takes time in proportion to their number.
 */

const lineFeed = 10
const carriageReturn = 13

/** `mixed` when a file has both, `none` when it has neither. */
type Ends = "lf" | "crlf" | "mixed" | "none"

/** A text whose line ends are all line feeds, and which of these had a carriage return before them. */
export interface Plain {
  readonly bytes: Uint8Array
  /** Where in `bytes` the line feeds are, in order. */
  readonly feeds: Uint32Array
  /** For each line feed, and for the end of the text, how many line feeds before it had a carriage return. */
  readonly pairs: Uint32Array
  readonly ends: Ends
}

const countFeeds = (bytes: Uint8Array): number => {
  let feeds = 0
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === lineFeed) feeds++
  return feeds
}

/** Takes the carriage returns out of line ends. */
export const plain = (text: Uint8Array): Plain => {
  const feedCount = countFeeds(text)
  const bytes = new Uint8Array(text.length)
  const feeds = new Uint32Array(feedCount)
  const pairs = new Uint32Array(feedCount + 1)
  let length = 0
  let feed = 0
  let paired = 0
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] ?? 0
    if (byte === carriageReturn && text[at + 1] === lineFeed) continue
    if (byte === lineFeed) {
      feeds[feed] = length
      if (at > 0 && text[at - 1] === carriageReturn) paired++
      pairs[++feed] = paired
    }
    bytes[length++] = byte
  }
  const ends = feedCount === 0 ? "none" : paired === 0 ? "lf" : paired === feedCount ? "crlf" : "mixed"
  return { bytes: bytes.subarray(0, length), feeds, pairs, ends }
}

/** A text whose bytes are all kept, as if it had no line ends. */
export const verbatim = (bytes: Uint8Array): Plain => ({
  bytes,
  feeds: new Uint32Array(0),
  pairs: new Uint32Array(1),
  ends: "none"
})

/** Adds a carriage return to each line end of a text whose line ends have none. */
const withPairs = (bytes: Uint8Array): Uint8Array => {
  const paired = new Uint8Array(bytes.length + countFeeds(bytes))
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === lineFeed) paired[length++] = carriageReturn
    paired[length++] = byte
  }
  return paired
}

const byteOrderMark = [0xef, 0xbb, 0xbf]

const startsWithMark = (bytes: Uint8Array): boolean => byteOrderMark.every((byte, index) => bytes[index] === byte)

const withoutMark = (bytes: Uint8Array): Uint8Array =>
  startsWithMark(bytes) ? bytes.subarray(byteOrderMark.length) : bytes

/** Whether two texts are the same but for their line ends and a byte order mark. */
export const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  Buffer.compare(plain(withoutMark(one)).bytes, plain(withoutMark(other)).bytes) === 0

/** A content, and what `fit` changed in it. */
export interface Fit {
  readonly bytes: Uint8Array
  readonly isMarked: boolean
  /** Null when no line end was changed. */
  readonly ends: "lf" | "crlf" | null
}

/**
 * Returns the new content of a text file with the byte order mark and the line ends of the old one. Where the old
 * content has both kinds of line ends, or none, or is binary, the new content keeps its own.
 */
export const fit = (before: Uint8Array, content: Uint8Array): Fit => {
  if (before.includes(0)) return { bytes: content, isMarked: false, ends: null }
  const { ends } = plain(before)
  const own = plain(content)
  const isSame = ends === own.ends || own.ends === "none"
  const kept = isSame || ends === "mixed" || ends === "none" ? null : ends
  const fitted = kept === null ? content : kept === "lf" ? own.bytes : withPairs(own.bytes)
  const isMarked = startsWithMark(before) && !startsWithMark(fitted)
  return { bytes: isMarked ? Buffer.concat([Uint8Array.from(byteOrderMark), fitted]) : fitted, isMarked, ends: kept }
}
