/** What a client's request fails with besides the Gateway's errors. */
import { Schema } from "effect"

/**
 * The server did not do what was asked, or it is not known whether it did.
 * - `unreachable`: no answer came. A change may be stored all the same; with an idempotency key it can be sent again.
 * - `refused`: the server answered with an error that is not the operation's, such as 401 or 503; `detail` names it.
 * - `malformed`: the answer is not one of Skein's, or is from another version.
 */
export class RequestFailed extends Schema.TaggedError<RequestFailed>()("RequestFailed", {
  reason: Schema.Literal("unreachable", "refused", "malformed"),
  /** The answer's status; null if there is no answer. */
  status: Schema.NullOr(Schema.Int),
  detail: Schema.String
}) {
  override get message() {
    return `The request failed: ${this.reason} (${this.detail})`
  }
}
