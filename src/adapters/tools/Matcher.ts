/**
 * Untrusted regular expressions, compiled and tried where they can be stopped. JavaScript's expressions can run forever
 * (`(a+)+$`); here they run in a thread of their own, which is ended with the scope, in the middle of a match if need
 * be. A part on which an expression exhausts its stack is skipped and reported.
 *
 * The caller must bound the size of a request to a few MiB. A thread that exceeds its memory limit is ended, and the
 * search is refused.
 *
 * The thread has no environment, no arguments and no imports except node:worker_threads. Its program is a string, so
 * that it survives being bundled into one file.
 */
import { Effect, Option, Schema } from "effect"
import type { Scope } from "effect"
import { Worker } from "node:worker_threads"
import { PatternRefused } from "./FileErrors.js"

/** The arguments of `new RegExp`, and the original pattern for errors. */
export interface Expression {
  readonly pattern: string
  readonly source: string
  readonly flags: string
}

interface Request {
  readonly expression: Expression
  /** Split at `separator`; each part is tried on its own, a line without the carriage return at its end. */
  readonly text: string
  readonly separator: "\n" | "\0"
  /** The most matching parts to return. */
  readonly limit: number
}

/** A part that matches: its index among the parts, from 0, and where in it the match starts. */
interface Match {
  readonly index: number
  readonly column: number
}

export interface Answer {
  readonly matches: ReadonlyArray<Match>
  /** Indexes of the parts on which the expression exhausted its stack. */
  readonly untried: ReadonlyArray<number>
}

export interface Matcher {
  /** One search at a time: a second call must wait for the first. */
  readonly find: (request: Request) => Effect.Effect<Answer, PatternRefused>
}

const program = `
const { parentPort } = require("node:worker_threads")
parentPort.on("message", ({ source, flags, text, separator, limit }) => {
  try {
    const expression = new RegExp(source, flags)
    const matches = []
    const untried = []
    const parts = text.split(separator)
    for (let index = 0; index < parts.length && matches.length < limit; index++) {
      const part = parts[index]
      try {
        const match = expression.exec(separator === "\\n" && part.endsWith("\\r") ? part.slice(0, -1) : part)
        if (match !== null) matches.push({ index, column: match.index })
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        untried.push(index)
      }
    }
    parentPort.postMessage({ matches, untried })
  } catch (error) {
    parentPort.postMessage({ failure: String(error.message) })
  }
})
`

const Reply = Schema.Union(
  Schema.Struct({
    matches: Schema.Array(Schema.Struct({ index: Schema.Int, column: Schema.Int })),
    untried: Schema.Array(Schema.Int)
  }),
  Schema.Struct({ failure: Schema.String })
)

const decodeReply = Schema.decodeUnknownOption(Reply)

const acquireWorker = Effect.acquireRelease(
  Effect.sync(() => {
    const worker = new Worker(program, {
      eval: true,
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 256 }
    })
    // An error is followed by "exit", which is what callers wait for; an error without a listener would end the
    // process.
    worker.on("error", () => undefined)
    return worker
  }),
  (worker) => Effect.promise(() => worker.terminate())
)

const ask = (worker: Worker, { expression, ...rest }: Request): Effect.Effect<Answer, PatternRefused> =>
  Effect.async((resume) => {
    const refuse = (detail: string) => resume(Effect.fail(new PatternRefused({ pattern: expression.pattern, detail })))
    const onMessage = (message: unknown) => {
      worker.off("exit", onExit)
      const reply = Option.getOrElse(decodeReply(message), () => ({ failure: "the matcher sent an invalid answer" }))
      if ("failure" in reply) refuse(reply.failure)
      else resume(Effect.succeed(reply))
    }
    const onExit = () => {
      worker.off("message", onMessage)
      refuse("the matcher has ended")
    }
    worker.once("message", onMessage)
    worker.once("exit", onExit)
    worker.postMessage({ source: expression.source, flags: expression.flags, ...rest })
    return Effect.sync(() => {
      worker.off("message", onMessage)
      worker.off("exit", onExit)
    })
  })

/** A matcher whose thread ends with the scope. */
export const make: Effect.Effect<Matcher, never, Scope.Scope> = Effect.map(acquireWorker, (worker) => ({
  find: (request) =>
    worker.threadId === -1
      ? Effect.fail(new PatternRefused({ pattern: request.expression.pattern, detail: "the matcher has ended" }))
      : ask(worker, request)
}))
