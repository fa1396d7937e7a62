/** Schemas of bodies: the payloads of the Gateway's operations, without what the path and headers say. */
import { Schema } from "effect"
import { ForeignMessage } from "../../domain/ForeignMessage.js"
import * as SkeinError from "../../domain/SkeinError.js"
import { Session, SessionId } from "../../domain/Session.js"
import * as Requests from "../../services/gateway/Requests.js"
import { wireErrors } from "./WireErrors.js"

/**
 * An empty object. It makes requests that need no more take a JSON body, which no page elsewhere can send as a form.
 */
export const Nothing = Schema.Struct({}).pipe(
  Schema.filter((given) => Object.keys(given).length === 0, { identifier: "Nothing", description: "no fields" })
)

/** `Gateway.patch`. */
export const SessionPatch = Requests.Patch.omit("sessionId").annotations({ identifier: "SessionPatch" })

/** `Gateway.send`. The key is the header `Idempotency-Key`. */
export const NewMessage = Requests.Send.omit("sessionId", "idempotencyKey").annotations({ identifier: "NewMessage" })

/** `Gateway.append`. The key is the header `Idempotency-Key`. */
export const NewEntries = Schema.Struct({ messages: Schema.Array(ForeignMessage) }).annotations({
  identifier: "NewEntries"
})

/** `Gateway.answer`. Who answers is the request's actor. */
export const NewAnswer = Requests.Answer.omit("questionId", "by").annotations({ identifier: "NewAnswer" })

/** What became of each session that should change, with error messages. */
export const SessionChanges = Schema.Array(
  Schema.Union(
    Schema.Struct({ _tag: Schema.Literal("Changed"), session: Session }).annotations({ identifier: "SessionChanged" }),
    Schema.Struct({
      _tag: Schema.Literal("Failed"),
      sessionId: SessionId,
      error: wireErrors(SkeinError.Change)
    }).annotations({ identifier: "SessionNotChanged" })
  ).annotations({ identifier: "SessionChange" })
)
