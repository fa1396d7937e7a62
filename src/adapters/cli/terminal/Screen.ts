/**
 * Where a command writes and whom it can ask. Results go to stdout, questions and errors to stderr.
 *
 * On a terminal a status can stand below what is written; it is erased before anything else is. While a question waits
 * for its answer, what is written to the terminal is kept and comes after it.
 */
import { Context, Effect, Layer, Ref } from "effect"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import * as Ansi from "./Ansi.js"
import { OutputFailed } from "../Failure.js"
import * as TerminalText from "./TerminalText.js"

export interface Service {
  /** Writes to stdout. */
  readonly write: (text: string) => Effect.Effect<void, OutputFailed>
  /** Writes whole lines to stderr. */
  readonly writeError: (text: string) => Effect.Effect<void>
  /** Shows a status where stdout is a terminal, as far as it fits on one line; "" for none. */
  readonly status: (text: string) => Effect.Effect<void, OutputFailed>
  /** Whether somebody sits at a terminal and can answer. */
  readonly canAsk: boolean
  /** Asks for one line. Null when there is none any more. */
  readonly ask: (prompt: string) => Effect.Effect<string | null>
  /** Keeps what is written to the terminal until the effect is over. */
  readonly holding: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | OutputFailed, R>
  /** For what goes to stdout. */
  readonly ansi: Ansi.Ansi
}

export class Screen extends Context.Tag("skein/cli/Screen")<Screen, Service>() {}

interface State {
  /** What waits for a question to be answered; null while none is asked. */
  readonly kept: string | null
  readonly status: string
}

/**
 * The streams and variables of a process.
 *
 * @internal
 */
export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly env: { readonly [name: string]: string | undefined }
}

const codeOf = (error: Error): string => ("code" in error && typeof error.code === "string" ? error.code : error.name)

const writeTo = (stream: Writable, text: string): Effect.Effect<void, OutputFailed> =>
  Effect.async((resume) => {
    stream.write(text, (error) => resume(error ? Effect.fail(new OutputFailed({ code: codeOf(error) })) : Effect.void))
  })

const readLine = (stdin: Readable): Effect.Effect<string | null> =>
  Effect.acquireUseRelease(
    Effect.sync(() => createInterface({ input: stdin, terminal: false })),
    (lines) =>
      Effect.async<string | null>((resume) => {
        lines.once("line", (line) => resume(Effect.succeed(line)))
        lines.once("close", () => resume(Effect.succeed(null)))
      }),
    (lines) =>
      Effect.sync(() => {
        lines.close()
        stdin.pause()
      })
  )

/**
 * A screen over streams.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* ({ env, stderr, stdin, stdout }: Streams) {
  // A stream without a listener ends the process when its reader goes; the write's own callback tells of it too.
  for (const stream of [stdout, stderr]) stream.on("error", () => undefined)
  const isLive = stdout.isTTY === true && env["TERM"] !== "dumb"
  const ansi = Ansi.make(isLive && !env["NO_COLOR"])
  const state = yield* Ref.make<State>({ kept: null, status: "" })

  const write = (text: string) =>
    Effect.flatMap(Ref.get(state), ({ kept, status }) => {
      if (kept !== null && stdout.isTTY) return Ref.update(state, (now) => ({ ...now, kept: (now.kept ?? "") + text }))
      if (status === "") return writeTo(stdout, text)
      return Effect.zipRight(
        Ref.update(state, (now) => ({ ...now, status: "" })),
        writeTo(stdout, Ansi.eraseLine + text)
      )
    })

  const status = (text: string) =>
    Effect.flatMap(Ref.get(state), (now) => {
      const shown = TerminalText.short(text, Math.max(stdout.columns || 80, 20) - 1)
      if (!isLive || now.kept !== null || shown === now.status) return Effect.void
      const erase = now.status === "" ? "" : Ansi.eraseLine
      return Effect.zipRight(
        Ref.update(state, (before) => ({ ...before, status: shown })),
        writeTo(stdout, erase + (shown === "" ? "" : ansi.dim(shown)))
      )
    })

  return {
    write,
    writeError: (text) => Effect.ignore(Effect.zipRight(status(""), writeTo(stderr, text))),
    status,
    canAsk: stdin.isTTY === true && stderr.isTTY === true,
    ask: (prompt) => Effect.zipRight(Effect.ignore(writeTo(stderr, prompt)), readLine(stdin)),
    holding: (effect) =>
      Effect.acquireUseRelease(
        Effect.zipRight(
          status(""),
          Ref.update(state, (now) => ({ ...now, kept: "" }))
        ),
        () => effect,
        () =>
          Effect.flatMap(
            Ref.getAndUpdate(state, (now) => ({ ...now, kept: null })),
            ({ kept }) => (kept === null || kept === "" ? Effect.void : Effect.ignore(writeTo(stdout, kept)))
          )
      ),
    ansi
  } satisfies Service
})

export const layer: Layer.Layer<Screen> = Layer.effect(Screen, make(process))
