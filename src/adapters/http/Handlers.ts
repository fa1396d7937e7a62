/** What each route does: one call of the Gateway, as the sender of the request sees it. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import { Entry } from "../../domain/Message.js"
import { Gateway, type Service } from "../../services/gateway/Gateway.js"
import { operations } from "../../services/gateway/Operations.js"
import * as Requests from "../../services/gateway/Requests.js"
import { api } from "./Api.js"
import * as Bodies from "./Bodies.js"
import * as Body from "./Body.js"
import * as KeyHeader from "./KeyHeader.js"
import * as JsonArray from "./JsonArray.js"
import { OpenStreams } from "./OpenStreams.js"

/** Calls the Gateway of the request. */
export const call = <A, E, R>(f: (gateway: Service) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Gateway> =>
  Effect.flatMap(Gateway, f)

const create = Body.json(Requests.Create)
const patchMany = Body.json(Requests.PatchMany)
const patch = Body.json(Bodies.SessionPatch)
const recover = Body.json(Requests.Recover)
const append = Body.json(Bodies.NewEntries, { hasMessages: true })
const send = Body.json(Bodies.NewMessage, { hasMessages: true })
const resume = Body.json(Requests.ResumedRun)
const nothing = Body.json(Bodies.Nothing)
const answer = Body.json(Bodies.NewAnswer)
const entries = JsonArray.respond(operations.transcript.success)
const appended = JsonArray.respondList(Entry, { status: 201 })
const rows = JsonArray.respond(operations.timeline.success)

export const agents = HttpApiBuilder.group(api, "agents", (handlers) =>
  handlers.handleRaw("agents", () => call((gateway) => gateway.agents()))
)

export const limits = HttpApiBuilder.group(api, "limits", (handlers) =>
  handlers.handleRaw("limits", () =>
    Effect.gen(function* () {
      const mostBytes = yield* Body.UploadBytes
      return yield* call((gateway) =>
        Effect.map(gateway.limits(), (all) => ({ ...all, assetBytes: Math.min(all.assetBytes, mostBytes) }))
      )
    })
  )
)

export const sessions = HttpApiBuilder.group(api, "sessions", (handlers) =>
  handlers
    .handleRaw("create", () => Effect.flatMap(create, (input) => call((gateway) => gateway.create(input))))
    .handleRaw("sessions", ({ urlParams }) => call((gateway) => gateway.sessions(urlParams)))
    .handleRaw("patchMany", () => Effect.flatMap(patchMany, (input) => call((gateway) => gateway.patchMany(input))))
    .handleRaw("session", ({ path }) => call((gateway) => gateway.session(path.sessionId)))
    .handleRaw("patch", ({ path }) =>
      Effect.flatMap(patch, (changes) => call((gateway) => gateway.patch({ ...path, ...changes })))
    )
    .handleRaw("delete", ({ path }) => call((gateway) => gateway.delete(path.sessionId)))
    .handleRaw("snapshot", ({ path }) => call((gateway) => gateway.snapshot(path.sessionId)))
    .handleRaw("recover", () => Effect.flatMap(recover, (input) => call((gateway) => gateway.recover(input))))
)

export const transcripts = HttpApiBuilder.group(api, "transcripts", (handlers) =>
  handlers
    .handleRaw("transcript", ({ path, urlParams }) =>
      call((gateway) => entries(gateway.transcript({ ...path, ...urlParams })))
    )
    .handleRaw("append", ({ headers, path }) =>
      Effect.flatMap(append, ({ messages }) =>
        call((gateway) => gateway.append(path.sessionId, messages, KeyHeader.read(headers))).pipe(
          Effect.zipWith(Body.isShort, (entries, isShort) => (isShort ? entries : appended(entries)))
        )
      )
    )
    .handleRaw("entry", ({ path }) => call((gateway) => gateway.entry(path)))
    .handleRaw("timeline", ({ path, urlParams }) =>
      call((gateway) => rows(gateway.timeline({ ...path, ...urlParams })))
    )
)

export const runs = HttpApiBuilder.group(api, "runs", (handlers) =>
  handlers
    .handleRaw("send", ({ headers, path }) =>
      Effect.flatMap(send, (message) =>
        call((gateway) => gateway.send({ ...path, ...message, idempotencyKey: KeyHeader.read(headers) }))
      )
    )
    .handleRaw("resume", ({ path }) =>
      Effect.flatMap(resume, (of) => call((gateway) => gateway.resume(path.sessionId, of)))
    )
    .handleRaw("runs", ({ path, urlParams }) => call((gateway) => gateway.runs({ ...path, ...urlParams })))
    .handleRaw("run", ({ path }) => call((gateway) => gateway.run(path.runId)))
    .handleRaw("runRef", ({ path }) => call((gateway) => gateway.runRef(path.runId)))
    .handleRaw("await", ({ path }) =>
      Effect.flatMap(OpenStreams, ({ stopping }) =>
        Effect.raceFirst(
          call((gateway) => Effect.flatMap(gateway.runRef(path.runId), (ref) => gateway.await(ref))),
          stopping
        )
      )
    )
    .handleRaw("cancel", ({ path }) =>
      Effect.zipRight(
        nothing,
        call((gateway) => gateway.cancel(path.runId))
      )
    )
)

export const questions = HttpApiBuilder.group(api, "questions", (handlers) =>
  handlers
    .handleRaw("questions", ({ urlParams }) => call((gateway) => gateway.questions(urlParams)))
    .handleRaw("question", ({ path }) => call((gateway) => gateway.question(path.questionId)))
    .handleRaw("answer", ({ path }) =>
      Effect.flatMap(answer, (given) => call((gateway) => gateway.answer({ ...path, ...given })))
    )
)
