/** The tests' server cannot do what it was asked for: what that was, and the end of what was said about it. */
import { Data } from "effect"

export class PostgresFailed extends Data.TaggedError("PostgresFailed")<{
  readonly what: string
  readonly said: string
}> {
  override get message() {
    return `${this.what}${this.said === "" ? "" : `: ${this.said}`}`
  }
}
