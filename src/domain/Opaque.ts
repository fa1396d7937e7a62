/** Parts of messages as another version of Skein wrote them: whatever their type, they are kept whole. */
import { Schema } from "effect"

/** A part of any type except these. */
export const partBut = (...known: ReadonlyArray<string>) =>
  Schema.Struct(
    { type: Schema.String.pipe(Schema.filter((type) => !known.includes(type))) },
    { key: Schema.String, value: Schema.Unknown }
  )
