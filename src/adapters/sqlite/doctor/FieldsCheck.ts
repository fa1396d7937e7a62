/**
 * Whether a session's own fields, its runs and its questions decode. What does not is replaced by what says least, so
 * that the rest can be used; what was stored is moved aside.
 */
import { Effect, Either, Option, Schema } from "effect"
import { UserMessage } from "../../../domain/Message.js"
import { QuestionId } from "../../../domain/Permission.js"
import { RunId, StopReason } from "../../../domain/Run.js"
import type { RowDamaged, StorageFailed } from "../../../domain/SkeinError.js"
import { ModelRef } from "../../../domain/ModelRef.js"
import { EngineId } from "../../../domain/Lease.js"
import { JsonObject } from "../../../services/storage/sql/Decoding.js"
import * as Questions from "../../../services/storage/sql/Questions.js"
import * as RunRows from "../../../services/storage/sql/RunRows.js"
import * as Sessions from "../../../services/storage/sql/Sessions.js"
import { beyondRepair, damage, type Finding, type Repair } from "./Finding.js"
import { named, type Subject, tellAnew } from "./Subject.js"

const decodes = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknownEither(schema)
  return (value: unknown): boolean => Either.isRight(decode(value))
}

const isObject = decodes(JsonObject)
const isModel = decodes(Schema.NullOr(Schema.parseJson(ModelRef)))
const isEngine = decodes(Schema.parseJson(EngineId))
const isStopReason = decodes(Schema.NullOr(StopReason))
const isUserMessage = decodes(Schema.NullOr(Schema.parseJson(UserMessage)))

/** An engine that is dead wherever anybody looks at it: no host has this boot. */
const nobody = JSON.stringify({ bootId: "none", pidNamespace: "none", pid: 1, startTime: "none", instance: "none" })

const usage = ["steps", "unknown_steps", "input_tokens", "output_tokens", "reasoning_tokens", "cached_input_tokens"]
  .map((column) => `${column} = max(${column}, 0)`)
  .join(", ")

const repaired = "what does not decode is replaced by nothing, and what is stored now is moved aside"

/** What a read says is damaged; none when it succeeds, or finds nothing. */
const damagedBy = <A>(
  read: Effect.Effect<
    A,
    RowDamaged | StorageFailed | { readonly _tag: "SessionNotFound" | "RunNotFound" | "QuestionNotFound" }
  >
): Effect.Effect<Option.Option<string>, StorageFailed> =>
  Effect.matchEffect(read, {
    onSuccess: () => Effect.succeedNone,
    onFailure: (error) => {
      if (error._tag === "StorageFailed") return error
      return Effect.succeed(error._tag === "RowDamaged" ? Option.some(error.detail) : Option.none())
    }
  })

const repairSession =
  ({ id, ordinal }: Subject): Repair =>
  (means) => {
    const { aside, connection } = means
    const row = connection
      .prepare<[number], { readonly model: unknown; readonly metadata: unknown }>(
        "SELECT * FROM session_rows WHERE ordinal = ?"
      )
      .get(ordinal)
    const kept = aside.keep(`${id}-session`, row)
    connection
      .transaction(() => {
        connection.prepare(`UPDATE session_rows SET ${usage} WHERE ordinal = ?`).run(ordinal)
        if (!isModel(row?.model))
          connection.prepare("UPDATE session_rows SET model = NULL WHERE ordinal = ?").run(ordinal)
        if (!isObject(row?.metadata)) {
          connection.prepare("UPDATE session_rows SET metadata = '{}' WHERE ordinal = ?").run(ordinal)
        }
        tellAnew(means, ordinal)
      })
      .immediate()
    return `mended; what was stored is in ${kept}`
  }

interface RunColumns {
  readonly ordinal: number
  readonly state: string
  readonly stop_reason: unknown
  readonly metadata: unknown
  readonly message: unknown
  readonly engine: unknown
}

const repairRun =
  ({ id, ordinal }: Subject, runId: string): Repair =>
  (means) => {
    const { aside, connection } = means
    const row = connection.prepare<[string], RunColumns>("SELECT * FROM runs WHERE id = ?").get(runId)
    const kept = aside.keep(`${id}-run-${runId}`, row)
    const set = (assignments: string, ...values: ReadonlyArray<string>) =>
      connection.prepare<Array<string>>(`UPDATE runs SET ${assignments} WHERE id = ?`).run(...values, runId)
    connection
      .transaction(() => {
        set(usage)
        if (!isObject(row?.metadata)) set("metadata = '{}'")
        if (!isStopReason(row?.stop_reason)) set("stop_reason = 'failed'")
        if (row?.state === "running" && !isEngine(row.engine)) set("engine = ?", nobody)
        if (row?.state === "queued" && !isUserMessage(row.message)) {
          set(
            "state = 'ended', stop_reason = 'failed', detail = ?, ended_at = created_at, message = NULL",
            "its message was damaged"
          )
        }
        tellAnew(means, ordinal)
      })
      .immediate()
    return `mended; what was stored is in ${kept}`
  }

const repairQuestion =
  ({ id, ordinal }: Subject, questionId: string): Repair =>
  (means) => {
    const { aside, connection } = means
    const row = connection
      .prepare<[string], { readonly answer: unknown }>("SELECT * FROM questions WHERE id = ?")
      .get(questionId)
    const kept = aside.keep(`${id}-question-${questionId}`, row)
    const answer = JSON.stringify({ verdict: "deny", message: "the question was damaged", by: null })
    connection
      .transaction(() => {
        connection
          .prepare(`UPDATE questions SET access = 'write', input = '""', verdict = 'deny', answer = ? WHERE id = ?`)
          .run(answer, questionId)
        tellAnew(means, ordinal)
      })
      .immediate()
    return `denied; what was stored is in ${kept}`
  }

const idsOf = ({ ordinal, query }: Subject, table: "runs" | "questions") =>
  query<{ readonly id: string }>(
    `look at the ${table}`,
    `SELECT id FROM ${table} WHERE session = ? ORDER BY ordinal`,
    ordinal
  )

const checkRuns = (subject: Subject): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    for (const { id } of yield* idsOf(subject, "runs")) {
      const runId = Schema.decodeOption(RunId)(id)
      const where = `${named(subject)}, run ${id}`
      if (Option.isNone(runId)) {
        findings.push(beyondRepair(where, "its id is none that Skein gives", "nothing: no one can name it"))
        continue
      }
      const [row] = yield* subject.query<RunColumns>("look at the run", "SELECT * FROM runs WHERE id = ?", id)
      const isUnowned = row?.state === "running" && !isEngine(row.engine)
      const isMute = row?.state === "queued" && !isUserMessage(row.message)
      const detail = Option.orElse(yield* damagedBy(RunRows.find(subject.query, runId.value)), () =>
        isUnowned || isMute
          ? Option.some(isMute ? "has a message that does not decode" : "has an engine that does not decode")
          : Option.none()
      )
      if (Option.isNone(detail)) continue
      const remedy = isMute ? `it ends as failed; ${repaired}` : repaired
      findings.push(damage(where, `the run ${detail.value}`, remedy, repairRun(subject, id)))
    }
    return findings
  })

const checkQuestions = (subject: Subject): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    for (const { id } of yield* idsOf(subject, "questions")) {
      const questionId = Schema.decodeOption(QuestionId)(id)
      const where = `${named(subject)}, question ${id}`
      if (Option.isNone(questionId)) {
        findings.push(beyondRepair(where, "its id is none that Skein gives", "nothing: no one can name it"))
        continue
      }
      const detail = yield* damagedBy(Questions.find(subject.query, questionId.value))
      if (Option.isSome(detail)) {
        const remedy = "it is answered with a denial, and what is stored now is moved aside"
        findings.push(damage(where, `the question ${detail.value}`, remedy, repairQuestion(subject, id)))
      }
    }
    return findings
  })

/** Looks at a session's own row, its runs and its questions. */
export const check = (subject: Subject): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const detail = yield* damagedBy(Sessions.find(subject.query, subject.id))
    const own = Option.match(detail, {
      onNone: () => [],
      onSome: (detail) => [
        damage(named(subject), `the session's own fields: it ${detail}`, repaired, repairSession(subject))
      ]
    })
    return [...own, ...(yield* checkRuns(subject)), ...(yield* checkQuestions(subject))]
  })
