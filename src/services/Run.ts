/** Runs, as users see them: their data, and the events, the end and the answer of a run by its `Ref`. */
export * from "../domain/Run.js"
export { answer, answerAs, output } from "./RunAnswer.js"
export { await, events, type Settle, settle } from "./RunEnd.js"
