/**
 * The characters that a text of Markdown refers to by number or by name, as CommonMark has them. The browser knows the two
 * thousand names, so no table is sent with the page. All that it is ever given to read is one reference, in an element that
 * contains only text, of a document that is shown nowhere: the page's policy lets nothing else be made into HTML.
 */

interface Policy {
  readonly createHTML: (text: string) => string
}

declare global {
  /** Not in every browser. */
  const trustedTypes: { readonly createPolicy: (name: string, rules: Policy) => Policy } | undefined
}

const reference = /^&[a-z][a-z0-9]{1,31};$/i

const onlyReferences: Policy = { createHTML: (text) => (reference.test(text) ? text : "") }

/** Reads one reference by name. What is not one stays as it is. */
const makeReader = (): ((whole: string) => string) => {
  try {
    const policy =
      typeof trustedTypes === "undefined"
        ? onlyReferences
        : trustedTypes.createPolicy("skein-characters", onlyReferences)
    const title = document.implementation.createHTMLDocument("").createElement("title")
    return (whole) => {
      title.innerHTML = policy.createHTML(whole)
      const read = title.textContent
      // Of an unknown name a browser may read a beginning, such as `&not` of `&notit;`. Its end is then left over.
      return read.endsWith(";") && whole !== "&semi;" ? whole : read
    }
  } catch {
    // Something in front of the server has a policy of its own.
    return (whole) => whole
  }
}

let reader: ((whole: string) => string) | null = null
const known = new Map<string, string>()

const named = (whole: string): string => {
  const before = known.get(whole)
  if (before !== undefined) return before
  reader ??= makeReader()
  const read = reader(whole)
  // Only as many are kept as there are names.
  if (read !== whole) known.set(whole, read)
  return read
}

/** What has no character is U+FFFD. */
const numbered = (code: number): string =>
  code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? "\uFFFD" : String.fromCodePoint(code)

/** A text whose references are the characters that they stand for; it is still only text. */
export const read = (text: string): string =>
  text.replace(
    /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|[a-z][a-z0-9]{1,31});/gi,
    (whole, hex: string | undefined, decimal: string | undefined) => {
      if (hex !== undefined) return numbered(Number.parseInt(hex, 16))
      return decimal === undefined ? named(whole) : numbered(Number(decimal))
    }
  )
