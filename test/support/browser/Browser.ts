/** Tests in a real browser, one browser for all tests of a file. */
import { Effect } from "effect"
import { groupThatNeeds } from "../postgres/Group.js"
import { missing } from "./Chromium.js"

export { launched } from "./Chromium.js"

/** A group of tests that need a browser. */
export const describe = groupThatNeeds(Effect.void, missing)
