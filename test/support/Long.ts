/**
 * Whether tests take their long form, `npm run test:long`: every case of many that prove the same at different places.
 * `npm test` takes some of them, spread over all.
 */
const isLong = process.env["SKEIN_LONG"] === "1"

/** Every `step`th of these, beginning with the first; all of them in the long form. */
export const some = <A>(all: ReadonlyArray<A>, step: number): ReadonlyArray<A> =>
  isLong ? all : all.filter((_, place) => place % step === 0)
