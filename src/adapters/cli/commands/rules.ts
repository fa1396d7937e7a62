/** The commands for rules, loaded in one piece. */
export * as add from "./rules/add.js"
export * as list from "./rules/list.js"
export * as remove from "./rules/remove.js"
export * as test from "./rules/test.js"
