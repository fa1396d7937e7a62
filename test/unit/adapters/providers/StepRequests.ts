/** Requests for a model, and their results. */
import { inspect } from "node:util"
import { Cause, Chunk, Effect, Exit, Fiber, Predicate, Stream, TestClock } from "effect"
import type { Duration } from "effect"
import { ModelFailed } from "../../../../src/domain/SkeinError.js"
import type { View } from "../../../../src/domain/View.js"
import type { Model, Part, StepRequest } from "../../../../src/services/Model.js"

export const request = (fields: Partial<StepRequest> = {}): StepRequest => ({
  system: "You are terse.",
  view: saying("hello"),
  tools: [],
  options: {},
  output: null,
  file: () => Effect.dieMessage("no file was to be read"),
  ...fields
})

export const saying = (text: string): View => [{ role: "user", parts: [{ type: "text", text }] }]

/** All parts of a step. */
export const parts = (
  model: Model,
  fields: Partial<StepRequest> = {}
): Effect.Effect<ReadonlyArray<Part>, ModelFailed> =>
  Effect.map(Stream.runCollect(model.step(request(fields))), Chunk.toReadonlyArray)

/** What had arrived when the step failed, and how it failed. Dies if it did not fail. */
export const failing = Effect.fnUntraced(function* (model: Model, fields: Partial<StepRequest> = {}) {
  const arrived: Array<Part> = []
  const exit = yield* Stream.runForEach(model.step(request(fields)), (part) =>
    Effect.sync(() => {
      arrived.push(part)
    })
  ).pipe(Effect.exit)
  if (Exit.isSuccess(exit)) return yield* Effect.dieMessage("the step did not fail")
  const error = Cause.squash(exit.cause)
  if (!(error instanceof ModelFailed)) return yield* Effect.die(error)
  return { arrived, error, cause: exit.cause }
})

/** Everything that a failure says, wherever it may be read. */
export const everyWord = (error: ModelFailed, cause: Cause.Cause<ModelFailed>): string =>
  [
    JSON.stringify(error),
    String(error),
    error.message,
    error.stack,
    Cause.pretty(cause),
    inspect(error, { depth: Infinity, showHidden: true })
  ].join("\n")

export const textOf = (parts: ReadonlyArray<Part>): string =>
  parts.map((part) => (part.type === "text" ? part.delta : "")).join("")

/** The value at a path in a JSON value; undefined if there is none. */
export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce((inner: unknown, key) => (Predicate.hasProperty(inner, key) ? inner[key] : undefined), value)

/** Lets time pass in steps until the fiber is done, because sockets take their own time. */
export const passTime = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, step: Duration.DurationInput): Effect.Effect<void> =>
  TestClock.adjust(step).pipe(
    Effect.zipRight(Effect.yieldNow()),
    Effect.repeat({ until: () => Effect.map(Fiber.status(fiber), (status) => status._tag === "Done") })
  )

/** Lets the idle time pass until the fiber is done. */
export const passIdleTime = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<void> => passTime(fiber, "2 minutes")
