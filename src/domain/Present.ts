/** Leaves out the fields of a record that are undefined: a caller need not tell them from absent ones. Pure. */

export function present<A extends object>(record: A): { readonly [K in keyof A]: Exclude<A[K], undefined> }
export function present(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}
