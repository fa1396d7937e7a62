import { HttpApiSchema } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Predicate, Schema } from "effect"
import { AssetId } from "../../../src/domain/Asset.js"
import { QuestionId } from "../../../src/domain/Permission.js"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import * as SkeinError from "../../../src/domain/SkeinError.js"

const failed = (reason: SkeinError.ModelFailed["reason"], status: number | null = null, detail = "") =>
  new SkeinError.ModelFailed({ model: "script/a", reason, status, retryAfterMillis: null, detail })

describe("SkeinError", () => {
  it("a model's failure says which model, why, and what the service answered", () => {
    expect(failed("rejected").message).toBe("Model script/a failed: rejected")
    expect(failed("overloaded", 529).message).toBe("Model script/a failed: overloaded (529)")
    expect(failed("rejected", 400, "no such field").message).toBe(
      "Model script/a failed: rejected (400): no such field"
    )
  })

  it("a model's failure says whether it is worth a retry", () => {
    const reasons = SkeinError.ModelFailed.fields.reason.literals
    expect(reasons.filter((reason) => failed(reason).isRetryable)).toEqual([
      "rate-limited",
      "overloaded",
      "unreachable",
      "cut",
      "silent"
    ])
  })

  const session = { sessionId: SessionId.make("s1") }
  const run = { runId: RunId.make("r1") }
  const both = { ...session, ...run }
  const asset = { ...session, assetId: AssetId.make("a1") }
  const question = { questionId: QuestionId.make("q1") }

  it.each<readonly [Error, string]>([
    [new SkeinError.InvalidInput({ field: "title", limit: "1 to 5", actual: "6" }), "title: 1 to 5 (given: 6)"],
    [new SkeinError.SessionNotFound(session), "There is no session s1"],
    [new SkeinError.SessionExists(session), "Session s1 already exists"],
    [new SkeinError.SessionDeleting(session), "Session s1 is being deleted"],
    [new SkeinError.SessionBusy(both), "Session s1 is busy with run r1"],
    [new SkeinError.RunNotFound(run), "There is no run r1"],
    [
      new SkeinError.IdempotencyConflict({ ...both, idempotencyKey: "k" }),
      "Idempotency key k belongs to another message, that of run r1"
    ],
    [
      new SkeinError.AppendRefused({ ...session, reason: "batch-open" }),
      "Session s1 does not accept this message now: batch-open"
    ],
    [new SkeinError.LeaseLost(both), "Run r1 lost session s1 to another engine"],
    [new SkeinError.QuestionNotFound(question), "There is no question q1"],
    [new SkeinError.QuestionAnswered({ ...question, verdict: "deny" }), "Question q1 has already been answered: deny"],
    [new SkeinError.AssetNotFound(asset), "Session s1 has no asset a1"],
    [
      new SkeinError.AssetFailed({ ...asset, operation: "read", detail: "EIO" }),
      "Could not read asset a1 of session s1: EIO"
    ],
    [
      new SkeinError.AssetFailed({ ...session, assetId: null, operation: "delete", detail: "EIO" }),
      "Could not delete assets of session s1: EIO"
    ],
    [
      new SkeinError.AssetFailed({ sessionId: null, assetId: null, operation: "delete", detail: "EIO" }),
      "Could not delete assets: EIO"
    ],
    [
      new SkeinError.RowDamaged({ ...session, seq: null, detail: "is no JSON" }),
      "Session s1 has a damaged row: is no JSON"
    ],
    [
      new SkeinError.RowDamaged({ ...session, seq: 3, detail: "is no JSON" }),
      "Session s1 has a damaged row at 3: is no JSON"
    ],
    [
      new SkeinError.CursorGone({ ...session, after: 1, oldest: 5, newest: 9 }),
      "Session s1 has events 5 to 9, and none that follow 1: reload"
    ],
    [new SkeinError.StorageFailed({ operation: "append", code: "EIO" }), "Storage failed to append: EIO"],
    [
      new SkeinError.StorageBusy({ operation: "append", waitedMillis: 7 }),
      "Another process held the database for 7 ms; append was given up"
    ],
    [
      new SkeinError.OutcomeUnknown({ operation: "append", code: "EIO" }),
      "Storage does not know whether it managed to append: EIO"
    ],
    [new SkeinError.ModelUnavailable({ model: "p/m", detail: "no key" }), "Model p/m is not available: no key"],
    [new SkeinError.DuplicateTool({ name: "read" }), "There are two tools named read"],
    [
      new SkeinError.AwaitInTransaction(run),
      "Run r1 cannot be awaited inside a SQL transaction: commit first, then wait"
    ],
    [
      new SkeinError.AwaitInTransaction({ runId: null }),
      "A run cannot be awaited inside a SQL transaction: commit first, then wait"
    ],
    [new SkeinError.AwaitOwnSession({ ...session, ...run }), "Run r1 cannot be awaited by a tool of its own session s1"]
  ])("P12 clear refusal: the message is one line (%s)", (error, line) => {
    expect(error.message).toBe(line)
  })

  it("an error's JSON has its tag, its fields and its message, and is read back as the error", () => {
    const schema = SkeinError.withMessage(SkeinError.Send)
    const busy = new SkeinError.SessionBusy(both)
    const json = Schema.encodeSync(schema)(busy)
    expect(json).toEqual({ _tag: "SessionBusy", ...both, message: busy.message })
    expect(Schema.decodeUnknownSync(schema)(JSON.parse(JSON.stringify(json)))).toEqual(busy)
  })

  it("each error has the HTTP status that a server answers with", () => {
    const statuses = [
      [SkeinError.InvalidInput, 422],
      [SkeinError.Forbidden, 403],
      [SkeinError.SessionNotFound, 404],
      [SkeinError.SessionBusy, 409],
      [SkeinError.CursorGone, 410],
      [SkeinError.StorageBusy, 503]
    ] as const
    for (const [error, status] of statuses) expect(HttpApiSchema.getStatusError(error)).toBe(status)
    const unmarked = Object.values(SkeinError).flatMap((value) =>
      Predicate.isFunction(value) && "_tag" in value && Schema.isSchema(value)
        ? [HttpApiSchema.getStatusError(value)]
        : []
    )
    expect(unmarked.length).toBeGreaterThan(25)
    expect(unmarked.filter((status) => status === 500)).toHaveLength(1)
  })
})
