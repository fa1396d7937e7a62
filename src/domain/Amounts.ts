/** Amounts as people read them. Has no Schemas, because the page includes this file. Pure. */

/** A count, such as 12.3k. */
export const count = (n: number): string => {
  if (n < 1000) return String(n)
  if (n < 100_000) return `${(n / 1000).toFixed(1)}k`
  return n < 1_000_000 ? `${Math.round(n / 1000)}k` : `${(n / 1_000_000).toFixed(1)}M`
}

/** A number of things, such as "2 messages". */
export const counted = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`

/** Formats what is known of a cost, in millionths of a US dollar. Empty for 0: nothing is known. */
export const cost = (microUsd: number): string => {
  const dollars = microUsd / 1_000_000
  if (dollars === 0) return ""
  if (dollars < 0.0005) return "< $0.001"
  return `$${dollars.toFixed(dollars < 10 ? 3 : 2)}`
}
