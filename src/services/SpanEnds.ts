/**
 * How spans end: with the name of what failed, and its code, status or reason. Its words are left out, as they may quote a
 * message, a tool's input or what a provider sent. This holds for every tracer, and for all spans that begin inside.
 */
import { Cause, Effect, Either, Exit, Predicate, Tracer } from "effect"
import { ModelFailed } from "../domain/SkeinError.js"

const nameOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : typeof error
}

/** The code, such as EIO, the status, and the reason of an error, as far as it has them. */
const factsOf = (error: unknown): ReadonlyArray<string | number> => [
  ...(Predicate.hasProperty(error, "code") && typeof error.code === "string" && /^[A-Z]\w{0,40}$/.test(error.code)
    ? [error.code]
    : []),
  ...(Predicate.hasProperty(error, "status") && typeof error.status === "number" ? [error.status] : []),
  ...(error instanceof ModelFailed ? [error.reason] : [])
]

const bareError = (error: unknown): Error => {
  // The error's own code may break.
  const [name, facts] = Either.getOrElse(
    Either.try(() => [nameOf(error), factsOf(error)] as const),
    () => [typeof error, []] as const
  )
  const bare = new Error(facts.length === 0 ? name : facts.join(" "))
  return Object.assign(bare, { name, stack: "" })
}

const bareCause = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> =>
  Cause.match(cause, {
    onEmpty: Cause.empty,
    onFail: (error) => Cause.fail(bareError(error)),
    onDie: (defect) => Cause.die(bareError(defect)),
    onInterrupt: Cause.interrupt,
    onSequential: Cause.sequential,
    onParallel: Cause.parallel
  })

const bareExit = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isSuccess(exit) ? Exit.void : Exit.failCause(bareCause(exit.cause))

const hidden = new WeakSet<Tracer.Span>()

/** Has a span end so. It stays the object that its tracer knows. */
const hide = (span: Tracer.Span): Tracer.Span => {
  if (hidden.has(span)) return span
  hidden.add(span)
  const end = span.end.bind(span)
  span.end = (time, exit) => end(time, bareExit(exit))
  return span
}

const hiding = new WeakMap<Tracer.Tracer, Tracer.Tracer>()

/** The same tracer, whose spans end so. */
export const tracer = (given: Tracer.Tracer): Tracer.Tracer => {
  const known = hiding.get(given)
  if (known !== undefined) return known
  const made = Tracer.make({
    span: (...args) => hide(given.span(...args)),
    context: (run, fiber) => given.context(run, fiber)
  })
  hiding.set(given, made).set(made, made)
  return made
}

/** Has all spans of an effect end so. */
export const within = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.tracer, (given) => Effect.withTracer(effect, tracer(given)))

/**
 * Has the one span end so in which an effect begins: for work in the fibers of others, whose other spans are not to be
 * changed, such as that of whoever pulls a stream or waits for a run.
 */
export const own = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime(({ currentSpan }) => {
    if (currentSpan?._tag === "Span") hide(currentSpan)
    return effect
  })
