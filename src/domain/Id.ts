/** The form that all ids share. The brand says what an id names. */
import { Schema } from "effect"

/** 1 to 64 of `A-Z a-z 0-9 _ -`, beginning with a letter or digit: safe as a folder name on every platform. */
export const id = <const Brand extends string>(brand: Brand) =>
  Schema.String.pipe(
    Schema.pattern(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, {
      description: "an id of 1 to 64 of A-Z a-z 0-9 _ - that begins with a letter or digit"
    }),
    Schema.brand(brand)
  )
