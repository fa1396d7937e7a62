/**
 * Whether tests take their long form, `npm run test:long`: every one of many cases that prove the same thing at
 * different places. `npm test` takes some of them, evenly spread.
 */
export const isLong = process.env["SKEIN_LONG"] === "1"

/** Every `step`th item, beginning with the first; all of them in the long form. */
export const some = <A>(all: ReadonlyArray<A>, step: number): ReadonlyArray<A> =>
  isLong ? all : all.filter((_, place) => place % step === 0)
