/** A run for its users: what it is, and its events, its end and its answer by its `Ref`. */
export * from "../domain/Run.js"
export { answer, answerAs, output } from "./RunAnswer.js"
export { await, events, type Settle, settle } from "./RunEnd.js"
