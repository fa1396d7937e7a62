/**
 * Lets one effect at a time pass, in the order in which they came. A fiber that is interrupted gives up its place or
 * its turn. With Effect's semaphore, a fiber that is interrupted after it got the permit and before it goes on keeps
 * the permit forever.
 */
import type { Effect } from "effect"
import * as KeyQueues from "./KeyQueues.js"

export type OneByOne = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export const make = (): OneByOne => KeyQueues.make(1).hold("")
