import { describe, expect, it } from "@effect/vitest"
import { Cause, Exit, FiberId } from "effect"
import * as Failure from "../../../../src/adapters/cli/Failure.js"
import { RunId } from "../../../../src/domain/Run.js"
import * as RunFailure from "../../../../src/adapters/cli/RunFailure.js"
import * as Codes from "../../../../src/adapters/cli/texts/Codes.js"
import { ModelFailed, RunStopped } from "../../../../src/domain/SkeinError.js"

type Reason = ModelFailed["reason"]

const setting: RunFailure.Setting = {
  sessionId: "ses_1",
  place: "",
  path: "/config.json",
  providers: {
    local: { kind: "chat-completions", baseUrl: "http://127.0.0.1:1/v1", apiKey: { env: "LOCAL_KEY" } },
    open: { kind: "chat-completions", baseUrl: "http://127.0.0.1:1/v1" },
    own: { kind: "anthropic" }
  },
  models: null
}

const failed = (provider: string, reason: Reason, status: number | null, detail: string) =>
  new ModelFailed({ model: `${provider}/m`, reason, status, retryAfterMillis: null, detail })

const described = (
  provider: string,
  reason: Reason,
  status: number | null,
  detail: string,
  more: Partial<RunFailure.Setting> = {}
) =>
  RunFailure.describe(
    new RunStopped({
      runId: RunId.make("r"),
      stopReason: "failed",
      detail: failed(provider, reason, status, detail).message
    }),
    { provider, model: "m" },
    { ...setting, ...more }
  )

describe("RunFailure", () => {
  it("leads to skein doctor where a sound database would not have failed", () => {
    const of = (code: string) =>
      RunFailure.describe(
        new RunStopped({ runId: RunId.make("r"), stopReason: "failed", detail: `Storage failed to write: ${code}` }),
        null,
        setting
      )
    for (const code of ["SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_ERROR", "SQLITE_CONSTRAINT_UNIQUE"]) {
      expect(of(code)).toContain(`${code}. skein doctor shows more. To continue`)
    }
    for (const code of ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_BUSY"]) expect(of(code)).not.toContain("doctor")
  })

  it("names the variable of a refused key", () => {
    const resume = "To continue: skein run --session ses_1 --resume"
    expect(described("anthropic", "unauthorized", 401, "invalid x-api-key")).toBe(
      `anthropic refused the key (401): invalid x-api-key. Check ANTHROPIC_API_KEY. ${resume}`
    )
    expect(described("openai", "unauthorized", 401, "")).toContain("Check OPENAI_API_KEY.")
    expect(described("own", "unauthorized", 401, "")).toContain("Check ANTHROPIC_API_KEY.")
    expect(described("local", "unauthorized", 401, "")).toContain("Check LOCAL_KEY.")
    expect(described("open", "unauthorized", 401, "")).toContain(
      'Name the variable with its key in /config.json: "apiKey": {"env": "NAME"} in provider open.'
    )
  })

  it("names the models that there are in place of an unknown one", () => {
    const models = Array.from({ length: 12 }, (_, at) => `m${at}`)
    const text = described("local", "rejected", 404, "no such model", { models })
    expect(text).toBe(
      `local has no model m (404): no such model. It has ${models.slice(0, 10).join(", ")} and 2 more. ` +
        "Choose another with --model PROVIDER/MODEL"
    )
    expect(described("local", "rejected", 400, "The model `m` does not exist")).toContain("local has no model m")
  })

  it("names the setting that keeps a conversation within the context", () => {
    for (const detail of [
      "This model's maximum context length is 8192 tokens",
      "prompt is too long: 210000 tokens > 200000 maximum",
      "the request exceeds the available context size"
    ]) {
      expect(described("local", "rejected", 400, detail)).toContain(
        'Set "contextTokens" of provider local in /config.json'
      )
    }
    expect(described("local", "rejected", 400, "bad tool schema")).toContain("local/m rejected the request (400): bad")
  })

  it("leads with the cause and ends with how to continue, in the same data folder", () => {
    expect(described("local", "unreachable", null, "connection refused", { place: " --data '/my data'" })).toBe(
      "local/m cannot be reached: connection refused. To continue: skein run --session ses_1 --resume --data '/my data'"
    )
    for (const stopReason of [
      "crashed",
      "step-limit",
      "repeated-calls",
      "lease-lost",
      "output-limit",
      "cancelled"
    ] as const) {
      const text = RunFailure.describe(
        new RunStopped({ runId: RunId.make("r"), stopReason, detail: null }),
        null,
        setting
      )
      expect(text).toMatch(/^(the|another) [^.]+\. (.*\. )?To continue: /)
    }
  })

  it("codes are words", () => {
    expect(Codes.explain("Storage failed to append: SQLITE_FULL")).toBe(
      "Storage failed to append: the disk is full, SQLITE_FULL"
    )
    expect(Codes.explain("x (SQLITE_READONLY_DIRECTORY)")).toBe(
      "x (the disk or the folder is read-only, SQLITE_READONLY_DIRECTORY)"
    )
    expect(Codes.explain("EVERYTHING is EXACT, ENOENT")).toBe("EVERYTHING is EXACT, no such file or folder, ENOENT")
  })
})

describe("an end by a defect beside an interruption", () => {
  it("is told as the defect, not as a cancellation", () => {
    const interrupted = Cause.interrupt(FiberId.none)
    const both = Cause.parallel(interrupted, Cause.die(new Error("broken")))
    expect(Failure.report(both)).toContain("broken")
    expect(Failure.exitCode(Exit.failCause(both))).toBe(1)
    expect([Failure.report(interrupted), Failure.exitCode(Exit.failCause(interrupted))]).toEqual([null, 130])
  })
})
