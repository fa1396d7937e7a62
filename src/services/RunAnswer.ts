/**
 * What a run answered, as a text or as a value.
 *
 * An answer that does not have the requested form is asked for again in the same session, twice at most. Each further
 * message has a key made of the run's id, so it is sent only once, whoever waits and however often: even in another
 * process at the same time, or after a restart.
 */
import { Array as Arr, Effect, Either, JSONSchema, Option, Schema, Stream } from "effect"
import * as AbsentFields from "../domain/AbsentFields.js"
import * as Issues from "../domain/Issues.js"
import type { JsonRecord } from "../domain/Json.js"
import { type Entry, textOf } from "../domain/Message.js"
import * as Output from "../domain/Output.js"
import { type EndedRun, type Ref, refOf } from "../domain/Run.js"
import * as SessionEvent from "../domain/SessionEvent.js"
import * as SkeinError from "../domain/SkeinError.js"
import { Gateway } from "./gateway/Gateway.js"
import * as NewestEntry from "./NewestEntry.js"
import * as SpanEnds from "./SpanEnds.js"
import { await as await_, events, goOn, isCutOff, mayWaitForNext } from "./RunEnd.js"

/** The place of a run's last answer, found in its events, or in the transcript once events of the run have aged out. */
const lastAnswer = Effect.fnUntraced(function* (ref: Ref) {
  const byEvents = events(ref).pipe(
    Stream.filter(SessionEvent.is("message.appended")),
    Stream.filter(({ role }) => role === "assistant"),
    Stream.map(({ seq }) => seq),
    Stream.runLast
  )
  const isAnswer = ({ message, runId }: Entry) => runId === ref.runId && message.role === "assistant"
  const byTranscript = Effect.map(
    NewestEntry.find(ref.sessionId, isAnswer),
    Option.map(({ seq }) => seq)
  )
  return yield* Effect.catchTag(byEvents, "CursorGone", () => byTranscript)
})

/** The text of a run's last answer. Fails when the run did not complete. */
const textOfEnd = Effect.fnUntraced(function* (run: EndedRun) {
  const { detail, id: runId, sessionId, stopReason } = run
  if (stopReason !== "completed") return yield* new SkeinError.RunStopped({ runId, stopReason, detail })
  const gateway = yield* Gateway
  const seq = yield* lastAnswer(refOf(run))
  if (Option.isNone(seq)) return ""
  return yield* gateway.entry({ sessionId, seq: seq.value }).pipe(
    Effect.map(({ message }) => textOf(message)),
    Effect.catchTag("MessageNotFound", () => Effect.succeed(""))
  )
})

/**
 * Waits for a run's end and returns the text of its last answer, however long ago that was. Fails with `RunStopped`
 * when the run ended without an answer, and as `Run.await` does.
 */
export const answer: (
  ref: Ref
) => Effect.Effect<string, SkeinError.Await | SkeinError.ReadSession | SkeinError.RunStopped, Gateway> = Effect.fn(
  "Run.answer"
)(function* (ref) {
  return yield* textOfEnd(yield* await_(ref))
}, SpanEnds.own)

/**
 * Returns the JSON Schema of a schema, for `output` of `Gateway.send`. What is decoded is JSON, so the encoded form
 * counts, and must be an object. Fails with `InvalidInput` of `output` when the schema has no JSON Schema that
 * providers take.
 */
export const output = <A, I, R>(schema: Schema.Schema<A, I, R>): Effect.Effect<JsonRecord, SkeinError.InvalidInput> =>
  Either.try({
    try: (): unknown => JSONSchema.make(schema, { target: "jsonSchema2020-12" }),
    catch: () =>
      new SkeinError.InvalidInput({ field: "output", limit: "a schema of JSON", actual: "one that has no JSON Schema" })
  }).pipe(Either.flatMap(Output.read))

/** How often an answer is asked for again. */
const furtherTimes = 2

/** The run of the other message with this key: another version of the host may have worded it differently. */
const named = Effect.fnUntraced(function* (conflict: SkeinError.IdempotencyConflict) {
  if (conflict.runId === null) return yield* conflict
  return yield* (yield* Gateway).runRef(conflict.runId)
})

/** Asks for another answer after a run, or finds the run that was sent for it before. Returns the end of that run. */
const again = Effect.fnUntraced(function* (
  run: EndedRun,
  form: Effect.Effect<JsonRecord, SkeinError.InvalidInput>,
  text: string,
  time: number
) {
  const gateway = yield* Gateway
  const { id, metadata, sessionId } = run
  const idempotencyKey = `${id}/again-${time}`
  // Looked for first: then a gateway that only reads finds it too, and so does a host that has changed the form.
  const [known] = yield* gateway.runs({ sessionId, idempotencyKey })
  const send = Effect.gen(function* () {
    const message = { sessionId, text, metadata, output: yield* form, idempotencyKey, whenBusy: "queue" } as const
    yield* mayWaitForNext(sessionId)
    return yield* Effect.catchTag(gateway.send(message), "IdempotencyConflict", named)
  })
  const ref = known === undefined ? yield* send : refOf(known)
  const end = yield* await_(ref)
  return isCutOff(end) ? yield* goOn(sessionId, idempotencyKey) : end
})

/** Returns the form that the run was sent with. Fails when the schema has another form. */
const formOf = Effect.fnUntraced(function* <A, I, R>({ output: form }: EndedRun, schema: Schema.Schema<A, I, R>) {
  const wanted = yield* output(schema)
  if (form !== null && Output.isSame(form, wanted)) return form
  return yield* new SkeinError.InvalidInput({
    field: "schema",
    limit: "the schema whose Run.output was sent with the message",
    actual: form === null ? "a run without an output" : "a run with the output of another"
  })
})

/**
 * Waits for the end of a run that was sent with `Run.output` of the same schema, and returns its decoded answer. Text
 * or a code fence around the JSON is ignored. An answer that does not decode is asked for again, twice at most, each
 * time in a new run behind the runs that wait. The new runs have the first run's metadata, and go on after a crash as
 * in `Run.settle`. Called again, it returns the same answer.
 *
 * Fails with
 * - `AnswerInvalid` when the last answer does not decode either;
 * - `RunStopped` when a run ended without an answer;
 * - `InvalidInput` of `schema` when an answer does not decode and the run was sent with another output or none;
 * - `Forbidden` when it would have to ask again with a gateway that only reads.
 */
export const answerAs = <A, I, R>(
  schema: Schema.Schema<A, I, R>
): ((ref: Ref) => Effect.Effect<A, SkeinError.AnswerAs, Gateway | R>) => {
  const leaveOut = AbsentFields.leaveOut(schema)
  const decode = Schema.decodeUnknown(schema, { errors: "all" })
  const read = (text: string) =>
    Effect.flatMap(Output.parse(text), (value) => Effect.mapError(decode(leaveOut(value)), Issues.format))
  return Effect.fn("Run.answerAs")(function* (ref) {
    const run = yield* await_(ref)
    let text = yield* textOfEnd(run)
    for (const time of Arr.range(1, furtherTimes)) {
      const value = yield* Effect.either(read(text))
      if (Either.isRight(value)) return value.right
      text = yield* textOfEnd(yield* again(run, formOf(run, schema), Output.again(text, value.left), time))
    }
    return yield* Effect.mapError(read(text), (detail) => new SkeinError.AnswerInvalid({ runId: run.id, text, detail }))
  }, SpanEnds.own)
}
