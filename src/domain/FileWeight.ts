/**
 * How many characters a file counts as where a view is measured, by its type and size. An estimate, on the low side:
 * what counts as too much is not shown for long, and a request that proves too large can still be corrected. Pure.
 */
import * as FileKind from "./FileKind.js"

/** Most characters (UTF-16 units) of a text file that a model is sent. */
export const textLength = 100_000

/** A picture, which has some 1,300 tokens, and any file whose size is not known. */
const standard = 4_000

/** Pages of a PDF have some 2,000 tokens each: their text, and a picture of them. */
const page = { bytes: 100_000, characters: 6_000, most: 50 }

/**
 * `size` is in bytes. A file whose content alone can tell what it is may be a text if it is small; databases and other
 * binary files are mostly larger than what people write.
 */
export const of = ({ mediaType, size }: { readonly mediaType: string; readonly size?: number }): number => {
  if (size === undefined) return standard
  switch (FileKind.of(mediaType)) {
    case "pdf":
      return page.characters * Math.min(Math.ceil(size / page.bytes), page.most)
    case "text":
      return Math.min(size, textLength)
    case "unknown":
      return size <= textLength ? size : standard
    default:
      return standard
  }
}
