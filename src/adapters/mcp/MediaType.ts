/** Media types as servers write them. */

/** Returns a type without its parameters, in lower case; "" when there is none. */
export const of = (given: string | null | undefined): string => given?.split(";")[0]?.trim().toLowerCase() ?? ""
