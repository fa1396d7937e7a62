/**
 * How many characters a file counts as where a view is measured, by its type and size. An estimate, on the low side:
 * what counts as too much is not shown for long, and a request that proves too large can still be corrected. Pure.
 */
import * as ImageHeader from "./ImageHeader.js"

/** Most characters (UTF-16 units) of a text file that a model is sent. */
export const textLength = 100_000

/** A picture, which has some 1,300 tokens, and any file of which no more is known. */
const standard = 4_000

/** Pages of a PDF have some 2,000 tokens each: their text, and a picture of them. */
const page = { bytes: 100_000, characters: 6_000, most: 50 }

const isText = (mediaType: string): boolean =>
  /^text\/|[/+](?:json|xml|yaml|toml|x-ndjson|javascript|typescript|sql|x-sh)$/u.test(mediaType)

/** `size` is in bytes. */
export const of = ({ mediaType, size }: { readonly mediaType: string; readonly size?: number }): number => {
  if (size === undefined || ImageHeader.mediaTypes.has(mediaType)) return standard
  if (mediaType === "application/pdf") return page.characters * Math.min(Math.ceil(size / page.bytes), page.most)
  return isText(mediaType) ? Math.min(size, textLength) : standard
}
