/**
 * The Gateway's operations as routes. An endpoint has the name of the operation that it serves; `events` serves
 * `subscribe` too. Paths and queries are read by `Parameters`, bodies by `Body`: both refuse what they do not know.
 *
 * A GET has no effects, and neither has any request that a page of another origin can make without a preflight: POST
 * and PATCH accept only JSON (`application/json`, or `application/x-ndjson` for an import), and PUT and DELETE are
 * never simple requests.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { AssetId } from "../../domain/Asset.js"
import { QuestionId } from "../../domain/Permission.js"
import { EndedRun, RunId, RunQuery } from "../../domain/Run.js"
import { Cursor, Owner, Seq, SessionId } from "../../domain/Session.js"
import { ChangesQuery } from "../../domain/SessionHint.js"
import { SessionQuery } from "../../domain/SessionPage.js"
import { Forbidden, InvalidInput } from "../../domain/SkeinError.js"
import { operations } from "../../services/gateway/Operations.js"
import * as Requests from "../../services/gateway/Requests.js"
import * as AnyRequest from "./AnyRequest.js"
import * as Bodies from "./Bodies.js"
import * as KeyHeader from "./KeyHeader.js"
import { Flag, headers, nothing, parameters, whole } from "./Parameters.js"
import { RangeNotSatisfiable, Stopping } from "./RequestErrors.js"
import { wireErrors } from "./WireErrors.js"

const { optional } = Schema
const ofSession = parameters({ sessionId: SessionId })
const ofRun = parameters({ runId: RunId })
const ofQuestion = parameters({ questionId: QuestionId })
const ofAsset = parameters({ sessionId: SessionId, assetId: AssetId })
const range = parameters({ from: optional(whole(Seq)), to: optional(whole(Seq)) })

const count = whole(Schema.Int.pipe(Schema.between(1, 500, { description: "a whole number from 1 to 500" })))

/** Lines of JSON. */
export const jsonLines = "application/x-ndjson"

const Agents = HttpApiGroup.make("agents").add(
  HttpApiEndpoint.get("agents", "/agents")
    .setUrlParams(nothing)
    .addSuccess(operations.agents.success)
    .addError(wireErrors(operations.agents.error))
)

const Limits = HttpApiGroup.make("limits").add(
  HttpApiEndpoint.get("limits", "/limits")
    .setUrlParams(nothing)
    .addSuccess(operations.limits.success)
    .addError(wireErrors(operations.limits.error))
)

const Sessions = HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.post("create", "/sessions")
      .setUrlParams(nothing)
      .setPayload(Requests.Create)
      .addSuccess(operations.create.success, { status: 201 })
      .addError(wireErrors(operations.create.error))
  )
  .add(
    HttpApiEndpoint.get("sessions", "/sessions")
      .setUrlParams(
        parameters({
          ...SessionQuery.fields,
          since: optional(whole(Schema.NonNegativeInt)),
          limit: optional(count),
          total: optional(Flag)
        })
      )
      .addSuccess(operations.sessions.success)
      .addError(wireErrors(operations.sessions.error))
  )
  .add(
    HttpApiEndpoint.patch("patchMany", "/sessions")
      .setUrlParams(nothing)
      .setPayload(Requests.PatchMany)
      .addSuccess(Bodies.SessionChanges)
      .addError(wireErrors(operations.patchMany.error))
  )
  .add(
    HttpApiEndpoint.get("session", "/sessions/:sessionId")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .addSuccess(operations.session.success)
      .addError(wireErrors(operations.session.error))
  )
  .add(
    HttpApiEndpoint.patch("patch", "/sessions/:sessionId")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .setPayload(Bodies.SessionPatch)
      .addSuccess(operations.patch.success)
      .addError(wireErrors(operations.patch.error))
  )
  .add(
    HttpApiEndpoint.del("delete", "/sessions/:sessionId")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .addError(wireErrors(operations.delete.error))
  )
  .add(
    HttpApiEndpoint.get("snapshot", "/sessions/:sessionId/snapshot")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .addSuccess(operations.snapshot.success)
      .addError(wireErrors(operations.snapshot.error))
  )
  .add(
    HttpApiEndpoint.post("recover", "/recover")
      .setUrlParams(nothing)
      .setPayload(Requests.Recover)
      .addSuccess(operations.recover.success)
      .addError(wireErrors(operations.recover.error))
  )

const Transcripts = HttpApiGroup.make("transcripts")
  .add(
    HttpApiEndpoint.get("transcript", "/sessions/:sessionId/transcript")
      .setPath(ofSession)
      .setUrlParams(range)
      .addSuccess(Schema.Array(operations.transcript.success))
      .addError(wireErrors(operations.transcript.error))
  )
  .add(
    HttpApiEndpoint.post("append", "/sessions/:sessionId/transcript")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .setHeaders(KeyHeader.schema)
      .setPayload(Bodies.NewEntries)
      .addSuccess(operations.append.success, { status: 201 })
      .addError(wireErrors(operations.append.error))
  )
  .add(
    HttpApiEndpoint.get("entry", "/sessions/:sessionId/entries/:seq")
      .setPath(parameters({ sessionId: SessionId, seq: whole(Seq) }))
      .setUrlParams(nothing)
      .addSuccess(operations.entry.success)
      .addError(wireErrors(operations.entry.error))
  )
  .add(
    HttpApiEndpoint.get("timeline", "/sessions/:sessionId/timeline")
      .setPath(ofSession)
      .setUrlParams(range)
      .addSuccess(Schema.Array(operations.timeline.success))
      .addError(wireErrors(operations.timeline.error))
  )

const Runs = HttpApiGroup.make("runs")
  .add(
    HttpApiEndpoint.post("send", "/sessions/:sessionId/messages")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .setHeaders(KeyHeader.schema)
      .setPayload(Bodies.NewMessage)
      .addSuccess(operations.send.success, { status: 202 })
      .addError(wireErrors(operations.send.error))
  )
  .add(
    HttpApiEndpoint.post("resume", "/sessions/:sessionId/resume")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .setPayload(Requests.ResumedRun)
      .addSuccess(operations.resume.success, { status: 202 })
      .addError(wireErrors(operations.resume.error))
  )
  .add(
    HttpApiEndpoint.get("runs", "/sessions/:sessionId/runs")
      .setPath(ofSession)
      .setUrlParams(
        parameters({
          before: RunQuery.fields.before,
          idempotencyKey: RunQuery.fields.idempotencyKey,
          limit: optional(count)
        })
      )
      .addSuccess(operations.runs.success)
      .addError(wireErrors(operations.runs.error))
  )
  .add(
    HttpApiEndpoint.get("run", "/runs/:runId")
      .setPath(ofRun)
      .setUrlParams(nothing)
      .addSuccess(operations.run.success)
      .addError(wireErrors(operations.run.error))
  )
  .add(
    HttpApiEndpoint.get("runRef", "/runs/:runId/ref")
      .setPath(ofRun)
      .setUrlParams(nothing)
      .addSuccess(operations.runRef.success)
      .addError(wireErrors(operations.runRef.error))
  )
  .add(
    HttpApiEndpoint.get("await", "/runs/:runId/end")
      .setPath(ofRun)
      .setUrlParams(nothing)
      .addSuccess(EndedRun)
      .addError(wireErrors(operations.await.error))
  )
  .add(
    HttpApiEndpoint.post("cancel", "/runs/:runId/cancel")
      .setPath(ofRun)
      .setUrlParams(nothing)
      .setPayload(Bodies.Nothing)
      .addError(wireErrors(operations.cancel.error))
  )

const Questions = HttpApiGroup.make("questions")
  .add(
    HttpApiEndpoint.get("questions", "/questions")
      .setUrlParams(parameters({ sessionId: optional(SessionId), owner: optional(Owner) }))
      .addSuccess(operations.questions.success)
      .addError(wireErrors(operations.questions.error))
  )
  .add(
    HttpApiEndpoint.get("question", "/questions/:questionId")
      .setPath(ofQuestion)
      .setUrlParams(nothing)
      .addSuccess(operations.question.success)
      .addError(wireErrors(operations.question.error))
  )
  .add(
    HttpApiEndpoint.post("answer", "/questions/:questionId/answer")
      .setPath(ofQuestion)
      .setUrlParams(nothing)
      .setPayload(Bodies.NewAnswer)
      .addSuccess(operations.answer.success)
      .addError(wireErrors(operations.answer.error))
  )

const bytes = HttpApiSchema.Uint8Array({ contentType: "application/octet-stream" })

const Assets = HttpApiGroup.make("assets")
  .add(
    HttpApiEndpoint.get("assets", "/sessions/:sessionId/assets")
      .setPath(ofSession)
      .setUrlParams(nothing)
      .addSuccess(operations.assets.success)
      .addError(wireErrors(operations.assets.error))
  )
  .add(
    HttpApiEndpoint.put("saveAsset", "/sessions/:sessionId/assets")
      .setPath(ofSession)
      .setUrlParams(parameters({ name: optional(Schema.String) }))
      .setPayload(bytes)
      .addSuccess(operations.saveAsset.success, { status: 201 })
      .addError(wireErrors(operations.saveAsset.error))
  )
  .add(
    HttpApiEndpoint.get("openAsset", "/sessions/:sessionId/assets/:assetId")
      .setPath(ofAsset)
      .setUrlParams(nothing)
      .addSuccess(bytes)
      .addError(wireErrors(operations.openAsset.error))
      .addError(wireErrors(RangeNotSatisfiable))
  )
  .add(
    HttpApiEndpoint.del("deleteAsset", "/sessions/:sessionId/assets/:assetId")
      .setPath(ofAsset)
      .setUrlParams(nothing)
      .addSuccess(operations.deleteAsset.success)
      .addError(wireErrors(operations.deleteAsset.error))
  )

const Transfer = HttpApiGroup.make("transfer")
  .add(
    HttpApiEndpoint.get("exportSessions", "/export")
      .setUrlParams(parameters({ sessionIds: optional(Schema.Array(SessionId)), owner: optional(Owner) }))
      .addSuccess(HttpApiSchema.Text({ contentType: jsonLines }))
      .addError(wireErrors(operations.exportSessions.error))
  )
  .add(
    HttpApiEndpoint.post("importSessions", "/import")
      .setUrlParams(parameters({ newIds: optional(Flag), owner: optional(Owner), withGrants: optional(Flag) }))
      .setPayload(HttpApiSchema.Text({ contentType: jsonLines }))
      .addSuccess(operations.importSessions.success, { status: 201 })
      .addError(wireErrors(operations.importSessions.error))
  )

const eventStream = HttpApiSchema.Text({ contentType: "text/event-stream" })

const Events = HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("events", "/sessions/:sessionId/events")
      .setPath(ofSession)
      .setUrlParams(
        parameters({
          after: optional(whole(Cursor)),
          deltas: optional(Flag),
          entries: optional(Flag),
          live: optional(Flag)
        })
      )
      .setHeaders(headers({ "last-event-id": optional(whole(Cursor)) }))
      .addSuccess(eventStream)
      .addError(wireErrors(operations.session.error))
  )
  .add(
    HttpApiEndpoint.get("changes", "/events")
      .setUrlParams(parameters({ owner: ChangesQuery.fields.owner }))
      .addSuccess(eventStream)
      .addError(wireErrors(operations.changes.error))
  )

/** What any request may be refused with. */
export const RequestError = Schema.Union(InvalidInput, Forbidden, ...AnyRequest.refusals, Stopping)

/** All routes, under `/v1`. */
export const api = HttpApi.make("skein")
  .add(Sessions)
  .add(Transcripts)
  .add(Runs)
  .add(Questions)
  .add(Assets)
  .add(Transfer)
  .add(Events)
  .add(Agents)
  .add(Limits)
  .addError(wireErrors(RequestError))
  .prefix("/v1")
