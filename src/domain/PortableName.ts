/** Names that every provider accepts, for tools and for the ids of calls. Pure. */

const pattern = /^[A-Za-z0-9_-]{1,64}$/

/** Names that every object has: a vendor's SDK that looks one up in an object finds something and loses the call. */
const inherited: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype))

/** The rule, in words. */
export const rule = "1 to 64 of A-Z a-z 0-9 _ -, and not a name that every JavaScript object has"

export const is = (name: string): boolean => pattern.test(name) && !inherited.has(name)

/** Makes a name portable. A model can make up any name; sent back as it is, it would fail every later request. */
export const of = (name: string): string => {
  const portable = name.replace(/[^A-Za-z0-9_-]/gu, "_").slice(0, 64) || "unnamed"
  return inherited.has(portable) ? `${portable}_` : portable
}
