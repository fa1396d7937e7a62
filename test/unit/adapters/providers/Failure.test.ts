import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc, Redacted } from "effect"
import * as Failure from "../../../../src/adapters/providers/Failure.js"

const at = Date.UTC(2030, 0, 1)

describe("retryAfter", () => {
  it("reads milliseconds, seconds and dates, and bounds them", () => {
    const cases: ReadonlyArray<readonly [Record<string, string> | undefined, number | null]> = [
      [undefined, null],
      [{}, null],
      [{ "retry-after": "" }, null],
      [{ "retry-after": "soon" }, null],
      [{ "retry-after": "-5" }, null],
      [{ "retry-after": "0" }, 0],
      [{ "retry-after": "1.5" }, 1500],
      [{ "retry-after": "1e9" }, 3_600_000],
      [{ "retry-after": "Infinity" }, 3_600_000],
      [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
      [{ "retry-after-ms": "many", "retry-after": "9" }, 9000],
      [{ "retry-after-ms": "-1", "retry-after": "9" }, 9000],
      [{ "retry-after-ms": "-1", "retry-after": "Tue, 01 Jan 2030 00:00:30 GMT" }, 30_000],
      [{ "retry-after-ms": "-1" }, null],
      [{ "retry-after": "Tue, 01 Jan 2030 00:00:30 GMT" }, 30_000],
      [{ "retry-after": "Mon, 31 Dec 2029 00:00:00 GMT" }, null]
    ]
    for (const [headers, expected] of cases) assert.strictEqual(Failure.retryAfter(headers, at), expected)
  })
})

describe("the detail of a failure", () => {
  it.prop(
    "never holds a secret, is one line and bounded",
    [fc.string({ minLength: 6 }), fc.string(), fc.string({ maxLength: 400 }), fc.nat(3)],
    ([secret, before, after, spelling]) => {
      fc.pre(!"[redacted]…".includes(secret.trim()) && secret.trim().length >= 6)
      const spelt = [secret, secret.trim(), JSON.stringify(secret), `\n${secret}\n`][spelling] ?? secret
      const subject = { model: "p/m", secrets: [Redacted.make(secret)] }
      const { detail, message } = Failure.make(subject, "rejected", `${before}${spelt}${after}`)
      assert.notInclude(detail, secret)
      assert.notInclude(message, secret)
      assert.notMatch(detail, /\p{C}/u)
      assert.isAtMost(Array.from(detail).length, 300)
    }
  )

  it.prop(
    "shows nothing of a secret that contains another one",
    [fc.stringMatching(/^[a-z0-9]{6,12}$/), fc.stringMatching(/^[-+&A-Z]{6,12}$/), fc.boolean()],
    ([short, rest, isFirst]) => {
      const secrets = [short, `${short}${rest}`, `${rest}${short}`, `${rest}${short}${rest}`].map((text) =>
        Redacted.make(text)
      )
      const subject = { model: "p/m", secrets: isFirst ? secrets : secrets.toReversed() }
      for (const secret of secrets) {
        const text = Redacted.value(secret)
        for (const spelt of [text, encodeURIComponent(text)]) {
          const { detail } = Failure.make(subject, "rejected", `bad key ${spelt} given`)
          assert.strictEqual(detail, "bad key [redacted] given")
        }
      }
    }
  )

  it("is cut between characters", () => {
    const subject = { model: "p/m", secrets: [] }
    assert.strictEqual(Failure.make(subject, "rejected", "🙂".repeat(301)).detail, `${"🙂".repeat(299)}…`)
    assert.strictEqual(Failure.make(subject, "rejected", "🙂".repeat(300)).detail, "🙂".repeat(300))
  })

  it("keeps words that are too short to be a secret", () => {
    const subject = { model: "p/m", secrets: [Redacted.make("a"), Redacted.make("")] }
    assert.strictEqual(Failure.make(subject, "rejected", "a bad day").detail, "a bad day")
  })
})
