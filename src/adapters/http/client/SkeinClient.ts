/**
 * A client of `skein/http`: the Gateway's methods, by their names and arguments, over any `HttpClient`, in Node and in
 * browsers. What goes wrong on the way is a `RequestFailed`.
 *
 * - `events` and `changes` reconnect by themselves when they are cut: events continue after the last one received,
 *   without a gap or a duplicate; hints continue with a `gap`. `await` reconnects too, even while the server is away.
 * - Other requests are sent once. A `send` or an `append` with an idempotency key may be sent again.
 * - `transcript` and `timeline` are held in memory as a whole.
 */
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Effect, type Either, Stream } from "effect"
import type { Asset } from "../../../domain/Asset.js"
import type * as SkeinError from "../../../domain/SkeinError.js"
import type { Service } from "../../../services/gateway/Gateway.js"
import type { ImportedSession } from "../../../services/gateway/Replies.js"
import type { ImportSessions, NewAsset } from "../../../services/gateway/Requests.js"
import { operations } from "../../../services/gateway/Operations.js"
import { api, jsonLines } from "../Api.js"
import * as KeyHeader from "../KeyHeader.js"
import * as Answers from "./Answers.js"
import * as AssetRange from "./AssetRange.js"
import * as Following from "./Following.js"
import type { RequestFailed } from "./RequestFailed.js"

export { RequestFailed } from "./RequestFailed.js"

/** What any request may fail with besides the errors of its operation. */
export type Failed = RequestFailed | SkeinError.Forbidden

type Over<M> = M extends (...args: infer Args) => Effect.Effect<infer A, infer E>
  ? (...args: Args) => Effect.Effect<A, E | Failed>
  : M extends (...args: infer Args) => Stream.Stream<infer A, infer E>
    ? (...args: Args) => Stream.Stream<A, E | Failed>
    : never

type Plain = Omit<Service, "saveAsset" | "importSessions" | "subscribe">

/** The Gateway's methods, over HTTP. */
export type Client = { readonly [K in keyof Plain]: Over<Plain[K]> } & {
  readonly saveAsset: <E = never>(
    input: NewAsset & { readonly content: Stream.Stream<Uint8Array, E> }
  ) => Effect.Effect<Asset, SkeinError.SaveAsset | Failed>
  readonly importSessions: <E = never>(
    input: ImportSessions & { readonly content: Stream.Stream<Uint8Array, E> }
  ) => Effect.Effect<ReadonlyArray<ImportedSession>, SkeinError.Import | Failed>
}

/** Where the server is, and what is sent with each request. */
export interface Options {
  /** The address under which `/v1` is, such as `https://example.org/skein`. */
  readonly url: string
  /** Headers of each request, such as `authorization`. Defaults to none. */
  readonly headers?: Readonly<Record<string, string>>
  /** Run each time that `await`, or a stream of events, finds its server gone, before it asks again. Defaults to nothing. */
  readonly onLost?: Effect.Effect<void>
}

/** Makes a client over an `HttpClient`: `FetchHttpClient.layer`, or `NodeHttpClient.layer` in Node. */
export const make = ({
  headers = {},
  onLost = Effect.void,
  url
}: Options): Effect.Effect<Client, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const http = HttpClient.mapRequest(yield* HttpClient.HttpClient, (request) =>
      request.pipe(HttpClientRequest.setHeaders(headers), HttpClientRequest.prependUrl(url.replace(/\/$/, "")))
    )
    const derived = yield* HttpApiClient.makeWith(api, { httpClient: http })
    const { agents, assets, limits, questions, runs, sessions, transcripts } = derived

    const ask = <P, A, E>(
      input: Either.Either<P, SkeinError.InvalidInput>,
      request: (payload: P) => Effect.Effect<A, E>
    ) => Answers.explain(Effect.flatMap(input, request))
    const askMany = <P, A, E>(
      input: Either.Either<P, SkeinError.InvalidInput>,
      request: (payload: P) => Effect.Effect<ReadonlyArray<A>, E>
    ) => Stream.unwrap(Effect.map(ask(input, request), Stream.fromIterable))
    const none = {}
    const follow = Following.make(http, onLost)

    return {
      agents: () => ask(operations.agents.read(), () => agents.agents({ urlParams: none })),
      limits: () => ask(operations.limits.read(), () => limits.limits({ urlParams: none })),
      create: (input) => ask(operations.create.read(input), (payload) => sessions.create({ payload, urlParams: none })),
      session: (sessionId) =>
        ask(operations.session.read(sessionId), (path) => sessions.session({ path, urlParams: none })),
      sessions: (query = {}) => ask(operations.sessions.read(query), (urlParams) => sessions.sessions({ urlParams })),
      patch: (input) =>
        ask(operations.patch.read(input), ({ sessionId, ...payload }) =>
          sessions.patch({ path: { sessionId }, payload, urlParams: none })
        ),
      patchMany: (input) =>
        ask(operations.patchMany.read(input), (payload) => sessions.patchMany({ payload, urlParams: none })),
      delete: (sessionId) =>
        ask(operations.delete.read(sessionId), (path) => sessions.delete({ path, urlParams: none })),
      snapshot: (sessionId) =>
        ask(operations.snapshot.read(sessionId), (path) => sessions.snapshot({ path, urlParams: none })),
      recover: (which = {}) =>
        ask(operations.recover.read(which), (payload) => sessions.recover({ payload, urlParams: none })),
      transcript: (range) =>
        askMany(operations.transcript.read(range), ({ sessionId, ...urlParams }) =>
          transcripts.transcript({ path: { sessionId }, urlParams })
        ),
      timeline: (range) =>
        askMany(operations.timeline.read(range), ({ sessionId, ...urlParams }) =>
          transcripts.timeline({ path: { sessionId }, urlParams })
        ),
      entry: (place) => ask(operations.entry.read(place), (path) => transcripts.entry({ path, urlParams: none })),
      append: (...args) =>
        ask(operations.append.read(...args), ({ idempotencyKey, messages, sessionId }) =>
          transcripts.append({
            path: { sessionId },
            payload: { messages },
            headers: KeyHeader.write(idempotencyKey),
            urlParams: none
          })
        ),
      send: (input) =>
        ask(operations.send.read(input), ({ idempotencyKey, sessionId, ...payload }) =>
          runs.send({ path: { sessionId }, payload, headers: KeyHeader.write(idempotencyKey), urlParams: none })
        ),
      resume: (...args) =>
        ask(operations.resume.read(...args), ({ of = {}, sessionId }) =>
          runs.resume({ path: { sessionId }, payload: of, urlParams: none })
        ),
      runs: (query) =>
        ask(operations.runs.read(query), ({ sessionId, ...urlParams }) =>
          runs.runs({ path: { sessionId }, urlParams })
        ),
      run: (runId) => ask(operations.run.read(runId), (path) => runs.run({ path, urlParams: none })),
      runRef: (runId) => ask(operations.runRef.read(runId), (path) => runs.runRef({ path, urlParams: none })),
      await: (ref) =>
        Following.untilAnswered(
          ask(operations.await.read(ref), ({ runId }) => runs.await({ path: { runId }, urlParams: none })),
          onLost
        ),
      cancel: (runId) =>
        ask(operations.cancel.read(runId), (path) => runs.cancel({ path, payload: {}, urlParams: none })),
      question: (questionId) =>
        ask(operations.question.read(questionId), (path) => questions.question({ path, urlParams: none })),
      questions: (which = {}) =>
        ask(operations.questions.read(which), (urlParams) => questions.questions({ urlParams })),
      answer: (input) =>
        ask(operations.answer.read(input), ({ by: _, questionId, ...payload }) =>
          questions.answer({ path: { questionId }, payload, urlParams: none })
        ),
      assets: (sessionId) => ask(operations.assets.read(sessionId), (path) => assets.assets({ path, urlParams: none })),
      deleteAsset: (...args) =>
        ask(operations.deleteAsset.read(...args), (path) => assets.deleteAsset({ path, urlParams: none })),
      saveAsset: ({ content, ...input }) =>
        ask(operations.saveAsset.read(input), ({ mediaType, name, sessionId }) =>
          HttpClientRequest.put(`/v1/sessions/${sessionId}/assets`).pipe(
            HttpClientRequest.setUrlParams(name === undefined ? {} : { name }),
            HttpClientRequest.bodyStream(content, { contentType: mediaType }),
            http.execute,
            Effect.flatMap(Answers.read(operations.saveAsset)),
            Effect.scoped
          )
        ),
      openAsset: (range) =>
        Stream.unwrap(
          Effect.map(operations.openAsset.read(range), ({ assetId, length, offset = 0, sessionId }) => {
            const request = HttpClientRequest.get(`/v1/sessions/${sessionId}/assets/${assetId}`).pipe(
              HttpClientRequest.setHeaders(AssetRange.header(offset, length))
            )
            const bytes = Answers.bytes(AssetRange.within(http, offset), operations.openAsset, Effect.succeed(request))
            return length === 0 ? Stream.drain(bytes) : bytes
          })
        ),
      exportSessions: (which = {}) =>
        Answers.bytes(
          http,
          operations.exportSessions,
          Effect.map(operations.exportSessions.read(which), ({ owner, sessionIds = [] }) =>
            HttpClientRequest.get("/v1/export").pipe(
              HttpClientRequest.setUrlParams([
                ...sessionIds.map((id) => ["sessionIds", id] as const),
                ...(owner === undefined ? [] : [["owner", owner] as const])
              ])
            )
          )
        ).pipe(
          Stream.decodeText(),
          Stream.splitLines,
          Stream.map((line) => `${line}\n`)
        ),
      importSessions: ({ content, ...input }) =>
        ask(operations.importSessions.read(input), ({ newIds = false, owner, withGrants = false }) =>
          HttpClientRequest.post("/v1/import").pipe(
            HttpClientRequest.setUrlParams({
              newIds: String(newIds),
              withGrants: String(withGrants),
              ...(owner === undefined ? {} : { owner })
            }),
            HttpClientRequest.bodyStream(content, { contentType: jsonLines }),
            http.execute,
            Effect.flatMap(Answers.read(operations.importSessions)),
            Effect.scoped
          )
        ),
      events: (range) => Stream.unwrap(Effect.map(operations.events.read(range), follow.events)),
      changes: (query = {}) => Stream.unwrap(Effect.map(operations.changes.read(query), follow.changes))
    }
  })
