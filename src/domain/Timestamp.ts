/** When something happened, by the wall clock of the engine that stored it. */
import { Schema } from "effect"

/** Milliseconds since the epoch. */
export const Timestamp = Schema.Int
export type Timestamp = typeof Timestamp.Type
