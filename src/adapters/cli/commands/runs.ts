/** The commands that follow runs, loaded in one piece. */
export * as run from "./run.js"
export * as watch from "./watch.js"
