/** The classes of errors that exist because there are many engines: one leaves, is elsewhere, or was overtaken. */
import { Schema } from "effect"
import { httpStatus } from "./HttpStatus.js"
import { RunId } from "./Run.js"
import { SessionId } from "./Session.js"

/** The engine is being closed and starts no more runs. Another engine does; nothing of the message is stored. */
export class EngineClosing extends Schema.TaggedError<EngineClosing>()(
  "EngineClosing",
  { sessionId: SessionId },
  httpStatus(503)
) {
  override get message() {
    return `The engine is being closed: session ${this.sessionId} gets no new run`
  }
}

/** The engine does not serve the session's placement. Another engine does; nothing of the message is stored. */
export class PlacementNotServed extends Schema.TaggedError<PlacementNotServed>()(
  "PlacementNotServed",
  {
    sessionId: SessionId,
    placement: Schema.String,
    /** The placements that the engine serves, besides sessions without a placement. */
    served: Schema.Array(Schema.String)
  },
  httpStatus(421)
) {
  override get message() {
    const served = this.served.length === 0 ? "no placement" : this.served.join(", ")
    return `Session ${this.sessionId} is placed on ${this.placement}: this engine serves ${served}`
  }
}

/**
 * No runner of the cluster answered in time, and the front end that was asked has no engine. The request may have been
 * carried out all the same: with an idempotency key, repeating it is harmless.
 */
export class RunnersUnreachable extends Schema.TaggedError<RunnersUnreachable>()(
  "RunnersUnreachable",
  { sessionId: SessionId, waitedMillis: Schema.Finite },
  httpStatus(503)
) {
  override get message() {
    return `No runner answered for session ${this.sessionId} within ${this.waitedMillis} ms`
  }
}

/** Another engine has taken the session over. Nothing more of this run is written. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()(
  "LeaseLost",
  {
    sessionId: SessionId,
    runId: RunId
  },
  httpStatus(409)
) {
  override get message() {
    return `Run ${this.runId} lost session ${this.sessionId} to another engine`
  }
}
