/** Places in a transcript, computed from others. They are not checked, because what they are computed from was. */
import { Seq } from "./Session.js"

/** Returns the place after a place, or after the head of a transcript, which is 0 when the transcript is empty. */
export const after = (place: number): Seq => Seq.make(place + 1, true)

/** The later of two places; null for none. */
export const later = (one: Seq | null, other: Seq | null): Seq | null =>
  one === null || (other !== null && other > one) ? other : one
