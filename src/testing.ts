/** For those who test their own tools and agents. */
export * as Gate from "./adapters/testing/Gate.js"
export * as ScriptedModel from "./services/ScriptedModel.js"
export * as SkeinTest from "./adapters/testing/SkeinTest.js"
