/**
 * Reads from the first bytes of a PNG, JPEG, GIF or WebP which of them it is and how large the picture is. Pure.
 *
 * Not checked: the rest of the content. A picture with a good header may still be damaged.
 */

export interface ImageHeader {
  readonly mediaType: "image/png" | "image/jpeg" | "image/gif" | "image/webp"
  /** Both in pixels. */
  readonly width: number
  readonly height: number
}

/** `incomplete`: more bytes are needed. Null: not a valid header of the type that the bytes begin like, or of any. */
export type ReadResult = ImageHeader | "incomplete" | null

/** The types that are read. */
export const mediaTypes: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"])

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

const signatures: ReadonlyArray<readonly [mediaType: ImageHeader["mediaType"], pattern: RegExp]> = [
  ["image/png", /^\x89PNG\r\n\x1a\n/],
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF[^]{4}WEBP/]
]

/** Bytes that are enough to recognize every signature. */
const signatureBytes = 12

/** Returns the image type that the first bytes of a file indicate; null when they indicate none. */
export const typeOf = (head: Uint8Array): ImageHeader["mediaType"] | null =>
  signatures.find(([, pattern]) => pattern.test(latin1(head.subarray(0, signatureBytes))))?.[0] ?? null

/** Reads the header from as much of the content as there is. */
export const read = (bytes: Uint8Array): ReadResult => {
  const mediaType = typeOf(bytes)
  if (mediaType === null) return bytes.length < signatureBytes ? "incomplete" : null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = sizeReaders[mediaType](view)
  return size === "incomplete" || size === null ? size : { mediaType, width: size[0], height: size[1] }
}

type Size = readonly [width: number, height: number] | "incomplete" | null

const tagAt = (view: DataView, at: number): string =>
  latin1(new Uint8Array(view.buffer, view.byteOffset + at, Math.min(4, view.byteLength - at)))

const png = (view: DataView): Size => {
  if (view.byteLength < 24) return "incomplete"
  return view.getUint32(8) === 13 && tagAt(view, 12) === "IHDR" ? [view.getUint32(16), view.getUint32(20)] : null
}

const gif = (view: DataView): Size =>
  view.byteLength < 10 ? "incomplete" : [view.getUint16(6, true), view.getUint16(8, true)]

/** Whether a marker begins a frame, which states the picture's size. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)

/** Walks from segment to segment; each states its length. */
const jpeg = (view: DataView): Size => {
  for (let at = 2; ;) {
    if (at + 9 > view.byteLength) return "incomplete"
    const marker = view.getUint8(at + 1)
    if (view.getUint8(at) !== 0xff) return null
    if (marker === 0xff) at += 1
    else if (isFrame(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)]
    else if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xda) || view.getUint16(at + 2) < 2) return null
    else at += 2 + view.getUint16(at + 2)
  }
}

const webp = (view: DataView): Size => {
  if (view.byteLength < 30) return "incomplete"
  switch (tagAt(view, 12)) {
    case "VP8X":
      return [(view.getUint32(24, true) & 0xff_ff_ff) + 1, (view.getUint32(26, true) >>> 8) + 1]
    case "VP8L": {
      const bits = view.getUint32(21, true)
      return view.getUint8(20) === 0x2f ? [(bits & 0x3f_ff) + 1, ((bits >>> 14) & 0x3f_ff) + 1] : null
    }
    case "VP8 ":
      return view.getUint16(23) === 0x9d_01 && view.getUint8(25) === 0x2a
        ? [view.getUint16(26, true) & 0x3f_ff, view.getUint16(28, true) & 0x3f_ff]
        : null
    default:
      return null
  }
}

const sizeReaders = { "image/png": png, "image/jpeg": jpeg, "image/gif": gif, "image/webp": webp }
