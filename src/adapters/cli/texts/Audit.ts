/** What `skein audit` says about who changed what. Texts of sessions are made harmless by the caller. */
import type { Durable } from "../../../domain/SessionEvent.js"

export const none = "No changes with a named author"

/** What an event's actor did. */
export const of = (event: Durable): string => {
  switch (event.type) {
    case "session.created":
      return `created the session ${event.title}`
    case "session.renamed":
      return `renamed the session ${event.title}`
    case "session.model":
      return event.model === null ? "removed the model" : `set the model ${event.model.provider}/${event.model.model}`
    case "session.agent":
      return event.agent === null ? "removed the agent" : `set the agent ${event.agent}`
    case "session.moved":
      return event.workdir === null ? "removed the folder" : `moved the session to ${event.workdir}`
    case "session.deleted":
      return "deleted the session"
    case "run.queued":
      return `queued ${event.runId}`
    case "run.started":
      return `started ${event.runId}`
    case "run.ended":
      return `ended ${event.runId}: ${event.stopReason}`
    case "message.appended":
      return `wrote message ${event.seq} as ${event.role}`
    case "permission.answered":
      return `answered ${event.verdict} for the call of message ${event.seq}`
    case "asset.saved":
      return `saved the file ${event.assetId}`
    case "asset.deleted":
      return `deleted the file ${event.assetId}`
    default:
      return event.type
  }
}
