/**
 * The Gateway of a server, for code that is written against the Gateway itself. What only a request can fail with is
 * not an error of an operation: it is a defect, `ServerLost`.
 *
 * Events and `await` go on by themselves when the server comes back, as those of `skein/client` do.
 */
import { Effect, Option, Stream } from "effect"
import { Forbidden } from "../../domain/SkeinError.js"
import type { Service } from "../../services/gateway/Gateway.js"
import { type Client, RequestFailed } from "../http/client/SkeinClient.js"
import { ServerLost } from "./Failure.js"

const isFailed = (error: unknown): error is RequestFailed => error instanceof RequestFailed

const isOwn = <E>(error: E): error is Exclude<E, RequestFailed | Forbidden> =>
  !isFailed(error) && !(error instanceof Forbidden)

const isAnswer = <E>(error: E): error is Exclude<E, RequestFailed> => !isFailed(error)

const lostBy = (error: unknown): ServerLost =>
  isFailed(error)
    ? new ServerLost({ reason: error.reason, detail: error.detail })
    : new ServerLost({ reason: "refused", detail: "Forbidden" })

/** A change, which the gateway itself may also refuse. */
const change = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.catchAll(effect, (error) => (isAnswer(error) ? Effect.fail(error) : Effect.die(lostBy(error))))

const read = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.catchAll(effect, (error) => (isOwn(error) ? Effect.fail(error) : Effect.die(lostBy(error))))

const readAll = <A, E>(stream: Stream.Stream<A, E>) =>
  Stream.refineOrDieWith(stream, (error) => Option.liftPredicate(error, isOwn<E>), lostBy)

/** The gateway of a client. */
export const make = (client: Client): Service => {
  const events: Service["events"] = (range) => readAll(client.events(range))
  return {
    agents: () => read(client.agents()),
    limits: () => read(client.limits()),
    create: (input) => change(client.create(input)),
    session: (sessionId) => read(client.session(sessionId)),
    sessions: (query) => read(client.sessions(query)),
    transcript: (range) => readAll(client.transcript(range)),
    timeline: (range) => readAll(client.timeline(range)),
    entry: (place) => read(client.entry(place)),
    send: (input) => change(client.send(input)),
    resume: (...args) => change(client.resume(...args)),
    recover: (which) => change(client.recover(which)),
    append: (...args) => change(client.append(...args)),
    cancel: (runId) => change(client.cancel(runId)),
    patch: (input) => change(client.patch(input)),
    patchMany: (input) => change(client.patchMany(input)),
    delete: (sessionId) => change(client.delete(sessionId)),
    run: (runId) => read(client.run(runId)),
    runRef: (runId) => read(client.runRef(runId)),
    runs: (query) => read(client.runs(query)),
    await: (ref) => read(client.await(ref)),
    events,
    subscribe: (range) => Effect.succeed(events(range)),
    changes: (query) => readAll(client.changes(query)),
    snapshot: (sessionId) => read(client.snapshot(sessionId)),
    question: (questionId) => read(client.question(questionId)),
    questions: (...args) => read(client.questions(...args)),
    answer: (input) => change(client.answer(input)),
    saveAsset: (input) => change(client.saveAsset(input)),
    assets: (sessionId) => read(client.assets(sessionId)),
    openAsset: (range) => readAll(client.openAsset(range)),
    deleteAsset: (...args) => change(client.deleteAsset(...args)),
    exportSessions: (which) => readAll(client.exportSessions(which)),
    importSessions: (input) => change(client.importSessions(input))
  }
}
