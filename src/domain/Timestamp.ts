/** When something happened, by the wall clock of the engine that stored it. */
import { Schema } from "effect"

/** Milliseconds since the epoch. */
export const Timestamp = Schema.Int
export type Timestamp = typeof Timestamp.Type

/** The first and the last time that a date with a year of four digits can state, in UTC. */
const [first, last] = [-62_167_219_200_000, 253_402_300_799_999]

/** Whether a time can be written as a date, with a year from 0 to 9999. */
export const isDatable = (time: Timestamp): boolean => first <= time && time <= last
