/** Places in a transcript, reckoned from others. They are not checked: what they are reckoned from was. */
import { Seq } from "./Session.js"

/** The place after one, or after the head of a transcript, which is 0 when it is empty. */
export const after = (place: number): Seq => Seq.make(place + 1, true)
