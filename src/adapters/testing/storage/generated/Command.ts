/**
 * Commands for a storage, as small data that fast-check can generate and shrink. A command says "the third place of the
 * session's batch" or "an old lease"; the world resolves that when the command runs. Most commands succeed; a few are
 * made to be refused.
 */
import { FastCheck as fc } from "effect"
import * as CallDisplay from "../../../../domain/CallDisplay.js"

/** Mostly the first, sometimes the second. */
const seldom = <A, B>(often: fc.Arbitrary<A>, rarely: fc.Arbitrary<B>): fc.Arbitrary<A | B> =>
  fc.oneof({ weight: 15, arbitrary: often }, { weight: 1, arbitrary: rarely })

const session = fc.constantFrom("s1", "s1", "s1", "s2")

/** A lease: the session holder's, an earlier one, or one that never existed. */
const lease = fc.oneof(
  { weight: 12, arbitrary: fc.record({ pick: fc.constant("holder" as const), session }) },
  { weight: 2, arbitrary: fc.record({ pick: fc.constant("given" as const), index: fc.nat(30) }) },
  {
    weight: 1,
    arbitrary: fc.record({ pick: fc.constant("forged" as const), index: fc.nat(30), by: fc.constantFrom(1, -1) })
  }
)
export type LeasePick = typeof lease extends fc.Arbitrary<infer A> ? A : never

/** A place: one of the open batch, with or without a result, or any other. */
const place = fc.oneof(
  { weight: 8, arbitrary: fc.record({ pick: fc.constant("open" as const), index: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ pick: fc.constant("finished" as const), index: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ pick: fc.constant("any" as const), seq: fc.integer({ min: 1, max: 12 }) }) }
)
export type PlacePick = typeof place extends fc.Arbitrary<infer A> ? A : never

const title = seldom(
  fc.constantFrom(null, null, "Title", " two \n words \u0000'"),
  fc.constantFrom("", "x".repeat(201))
)
const text = seldom(fc.constantFrom("Hello", "second\nline", "😀 \ud800 \u0000 '"), fc.constant("x".repeat(3_000)))
const metadata = fc.constantFrom<{ readonly [field: string]: null | string | number | ReadonlyArray<number> }>(
  {},
  { a: 1 },
  { a: null, b: [1, 2] },
  { c: "x".repeat(400) },
  { d: "y".repeat(700) }
)
/** The content of a message that is appended outside a run. */
const messages = fc.array(fc.constantFrom("user", "assistant", "calls", "result", "other result", "blank", "other"), {
  maxLength: 5
})
const model = fc.constantFrom(null, { provider: "p", model: "m" }, { provider: "p", model: "n", options: { seed: 1 } })
const key = fc.constantFrom(null, null, "k1", "k2")
const hash = fc.constantFrom("h1", "h1", "h2")
const edit: CallDisplay.CallDisplay = {
  kind: "edit",
  title: "Edit a 😀",
  locations: [{ path: "/a", line: 3 }, { path: "b" }]
}
const display = fc.constantFrom(CallDisplay.none, edit)
/** A question with an inquiry is asked by a call that has started. */
const asked = fc.constantFrom(CallDisplay.none, edit, {
  ...edit,
  inquiry: { from: "files", text: "Which 😀?", fields: [] }
})
const outcome = fc.constantFrom("success" as const, "failure" as const, "denied" as const)
const stopReason = fc.constantFrom("completed" as const, "cancelled" as const, "deleted" as const)
const verdict = fc.constantFrom("allow-once" as const, "allow-for-session" as const, "deny" as const)
const index = fc.nat(30)
const usage = fc.constantFrom(null, 0, 7)

const command = <Name extends string, Fields>(
  weight: number,
  name: Name,
  fields: { readonly [Field in keyof Fields]: fc.Arbitrary<Fields[Field]> }
) => ({ weight, arbitrary: fc.record<Fields>(fields).map((fields) => ({ _tag: name, ...fields })) })

const oneCommit = [
  command(1, "create", { session, title, metadata }),
  command(6, "patch", {
    session,
    patch: fc.record(
      {
        title: title.map((title) => title ?? ""),
        model,
        agent: fc.constantFrom("coder", null),
        workdir: fc.constantFrom("/", "/a", null),
        metadata
      },
      { requiredKeys: [] }
    )
  }),
  command(3, "append", { session, messages, key, hash }),
  command(14, "admit", {
    session,
    text,
    file: seldom(fc.constant(null), index),
    key,
    hash,
    textHash: fc.constantFrom("t1", "h2"),
    whenBusy: fc.constantFrom("refuse" as const, "queue" as const),
    metadata,
    output: seldom(fc.constant(null), fc.constant({ type: "object" }))
  }),
  command(6, "startNext", { session }),
  command(2, "cancelQueued", { index }),
  command(5, "takeOver", {
    lease,
    late: seldom(fc.constant(false), fc.constant(true)),
    reason: fc.constantFrom("crashed" as const, "lease-lost" as const, "released" as const),
    ago: fc.constantFrom(0, 1_000, 1_001),
    recovery: fc.constantFrom("end" as const, "continue" as const)
  }),
  command(4, "resume", { session, of: fc.constantFrom("newest", "run", "key"), index }),
  command(3, "releaseRun", { lease }),
  command(2, "renew", {}),
  command(2, "requestCancel", { index }),
  command(3, "saveDraft", { lease, text, ahead: seldom(fc.constant(1), fc.constant(0)) }),
  command(14, "appendStep", {
    lease,
    calls: fc.nat(5),
    partial: fc.boolean(),
    text,
    usage,
    starts: fc.array(fc.nat(6), { maxLength: 3 }),
    display,
    end: seldom(fc.constant(null), stopReason)
  }),
  command(10, "startCall", { lease, place, display }),
  command(24, "storeResult", {
    lease,
    place,
    outcome,
    text,
    wrongCall: seldom(fc.constant(false), fc.constant(true))
  }),
  command(5, "endRun", { lease, stopReason, detail: fc.constantFrom(null, "why") }),
  command(8, "ask", { lease, place, display: asked }),
  command(6, "answer", { index, verdict, waiting: seldom(fc.constant(true), fc.constant(false)) }),
  command(2, "beginDelete", { session }),
  command(3, "hide", { session }),
  command(3, "forget", { session }),
  command(2, "prune", { age: fc.constantFrom(0, 500, 5_000), keep: fc.constantFrom(1, 3, 10, 1_000) }),
  command(2, "saveAsset", { session }),
  command(1, "deleteAsset", { session, index })
] as const

/** Commands that take several commits, and so do not run concurrently with others. */
const manyCommits = [command(3, "purge", { session }), command(2, "destroy", { session })] as const

const Alone = fc.oneof(...oneCommit, ...manyCommits)
const Together = fc.oneof(...oneCommit)

export type Command = typeof Alone extends fc.Arbitrary<infer A> ? A : never

/** Time passes, or the clock is set back; then one command runs, or several concurrently. */
export const Steps = fc.array(
  fc.record({
    wait: fc.constantFrom(0, 0, 0, 1, 1_000, -50),
    commands: fc.oneof(
      { weight: 4, arbitrary: fc.array(Alone, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(Together, { minLength: 2, maxLength: 6 }) }
    )
  }),
  { maxLength: 50, size: "max" }
)
export type Steps = typeof Steps extends fc.Arbitrary<infer A> ? A : never
