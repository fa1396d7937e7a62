/**
 * Reads what S3 answers in XML: a few elements that hold texts or each other, without attributes that matter. The server
 * is one that the host chose, so this looks for the elements that are needed and checks nothing else. Pure.
 */

const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }

const character = (reference: string, code: number): string =>
  code <= 0x10ffff ? String.fromCodePoint(code) : reference

const unescape = (text: string): string =>
  text.replace(
    /&(?:#x([0-9a-f]+)|#([0-9]+)|([a-z]+));/gi,
    (reference: string, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return character(reference, Number.parseInt(hex, 16))
      if (decimal !== undefined) return character(reference, Number.parseInt(decimal, 10))
      return named[name ?? ""] ?? reference
    }
  )

/** The contents of the elements with this name, which do not hold one another. */
export const elements = (xml: string, name: string): ReadonlyArray<string> =>
  xml
    .split(`</${name}>`)
    .slice(0, -1)
    .flatMap((before) => {
      const opening = Math.max(before.lastIndexOf(`<${name}>`), before.lastIndexOf(`<${name} `))
      return opening < 0 ? [] : [before.slice(before.indexOf(">", opening) + 1)]
    })

/** The text of the first element with this name; empty if there is none. */
export const text = (xml: string, name: string): string => unescape(elements(xml, name)[0] ?? "")

/** A text as it may appear in an element. */
export const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** The code of an error, such as `NoSuchKey`; empty if it is not one. The rest is not passed on: it may echo a key. */
export const errorCode = (xml: string): string => {
  const [error = ""] = elements(xml, "Error")
  return /^[A-Za-z0-9.]{1,64}$/.exec(text(error, "Code"))?.[0] ?? ""
}

/** A page of a list, and where the next one begins; null when it is the last. */
export interface Page<A, Next> {
  readonly items: ReadonlyArray<A>
  readonly next: Next | null
}

const isTruncated = (xml: string): boolean => text(xml, "IsTruncated") === "true"

/** From ListObjectsV2: keys, and with a delimiter also their common prefixes. */
export const keys = (xml: string): Page<string, string> => ({
  items: [
    ...elements(xml, "Contents").map((content) => text(content, "Key")),
    ...elements(xml, "CommonPrefixes").map((common) => text(common, "Prefix"))
  ],
  next: isTruncated(xml) ? text(xml, "NextContinuationToken") : null
})

/** From ListObjectsV2: when each object was written, in milliseconds; NaN if that is missing. */
export const modified = (xml: string): ReadonlyArray<number> =>
  elements(xml, "Contents").map((content) => Date.parse(text(content, "LastModified")))

/** An upload in parts that has not ended. */
export interface Unfinished {
  readonly key: string
  readonly uploadId: string
}

/** From ListMultipartUploads. */
export const uploads = (xml: string): Page<Unfinished, Unfinished> => ({
  items: elements(xml, "Upload").map((upload) => ({ key: text(upload, "Key"), uploadId: text(upload, "UploadId") })),
  next: isTruncated(xml) ? { key: text(xml, "NextKeyMarker"), uploadId: text(xml, "NextUploadIdMarker") } : null
})
