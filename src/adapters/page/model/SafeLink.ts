/** Which links of a text may be followed. Pure. */

const schemes = new Set(["http:", "https:", "mailto:"])

/** An address that may be opened; null for all others, such as `javascript:`, `data:` and any without a scheme. */
export const of = (address: string): string | null => {
  if (address.length > 2000) return null
  try {
    const url = new URL(address)
    return schemes.has(url.protocol) ? url.href : null
  } catch {
    return null
  }
}
