/**
 * A process with an engine, driven by a test: `program.ts`, bundled and started, with or without a wrapper such as
 * `prlimit` in front. What it says is kept: after its death the test compares what it acknowledged with what is stored.
 */
import { Deferred, Effect, FiberId, Option, Schema, type Scope } from "effect"
import { SessionId } from "../../../src/domain/Session.js"
import { defaults } from "../../../src/services/EngineConfig.js"
import { bundle } from "../../support/programs/Bundle.js"
import * as Process from "../../support/programs/Process.js"
import { type Answer, type Command, type Failure, Line, Request, Setup } from "./Protocol.js"

export const s1 = SessionId.make("s1")

/** The result of a command, or the end of the process before there was a result. */
type End =
  | { readonly _tag: "Done"; readonly value: unknown }
  | { readonly _tag: "Failed"; readonly failure: Failure }
  | { readonly _tag: "Died"; readonly code: number | null; readonly signal: string | null; readonly stderr: string }

export interface Child {
  readonly pid: number
  /** The result of opening; only for a process that opens by itself. */
  readonly opened: Effect.Effect<End>
  /** Sends a command, and waits for its result. */
  readonly ask: (command: Command) => Effect.Effect<End>
  /** Like `ask`; returns the value, dies of anything else. */
  readonly get: (command: Command) => Effect.Effect<unknown>
  /** Like `ask`, for a command that must fail. */
  readonly refused: (command: Command) => Effect.Effect<Failure>
  /** Names of the messages that it reported as stored, in order. */
  readonly stored: () => ReadonlyArray<string>
  /** What it reported about each message that is not stored, or may not be. */
  readonly failures: () => ReadonlyArray<{ readonly name: string; readonly failure: Failure }>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Kills it, and waits until it has ended. */
  readonly kill: Effect.Effect<void>
  readonly ended: Effect.Effect<Process.ProcessEnd>
}

export interface Options extends Partial<Setup["settings"]> {
  /** Whether it opens nothing until it is told to. */
  readonly waits?: boolean
  /** Defaults to `one`. */
  readonly hosts?: Setup["hosts"]
  /** Words in front of `node`. */
  readonly wrapper?: ReadonlyArray<string>
  /** Options of `node`. */
  readonly node?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

const inherited = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : []))
)

/** Starts a process on a data folder; it is killed when the scope closes. */
export const start = (data: string, options: Options = {}): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { env = {}, hosts = "one", node = [], waits = false, wrapper = [], ...settings } = options
    const program = yield* bundle(new URL("program.ts", import.meta.url), { whole: true })
    const setup = Schema.encodeSync(Setup)({
      data,
      waits,
      hosts,
      settings: { ...defaults, recoverMillis: 10_000, ...settings }
    })
    const [command, ...args] = [...wrapper, process.execPath, ...node, program, setup]
    const running = yield* Process.start(command, args, { talks: true, env: { ...inherited, ...env } })

    const stored: Array<string> = []
    const failures: Array<{ readonly name: string; readonly failure: Failure }> = []
    const waiting = new Map<number, Deferred.Deferred<End>>()
    let asked = 0
    let death: End | null = null
    const expect = () => {
      const end = Deferred.unsafeMake<End>(FiberId.none)
      if (death === null) waiting.set(asked, end)
      else Deferred.unsafeDone(end, Effect.succeed(death))
      return { id: asked++, end }
    }
    const hear = (id: number, answer: Answer) => {
      switch (answer._tag) {
        case "Stored":
          return void stored.push(answer.name)
        case "Refused":
          return void failures.push({ name: answer.name, failure: answer.failure })
        default: {
          const end = waiting.get(id)
          waiting.delete(id)
          if (end !== undefined) Deferred.unsafeDone(end, Effect.succeed(answer))
        }
      }
    }
    const die = (end: End) => {
      death = end
      for (const waits of waiting.values()) Deferred.unsafeDone(waits, Effect.succeed(end))
    }
    const listen = Effect.gen(function* () {
      for (;;) {
        const line = yield* running.line
        if (Option.isNone(line)) break
        const { answer, id } = yield* Schema.decodeUnknown(Line)(line.value)
        hear(id, answer)
      }
      const { code, signal, stderr } = yield* running.ended
      die({ _tag: "Died", code, signal, stderr })
    }).pipe(
      Effect.catchAll((error) =>
        Effect.sync(() => die({ _tag: "Died", code: null, signal: null, stderr: error.message }))
      )
    )
    const opening = expect()
    yield* Effect.forkScoped(listen)

    const ask = (command: Command) =>
      Effect.suspend(() => {
        const { end, id } = expect()
        return Effect.zipRight(running.say(Schema.encodeSync(Request)({ id, command })), Deferred.await(end))
      })
    const unexpected = (command: Command, end: End) =>
      Effect.dieMessage(`${JSON.stringify(command)}: ${JSON.stringify(end)}`)
    return {
      pid: running.pid,
      opened: Deferred.await(opening.end),
      ask,
      get: (command) =>
        Effect.flatMap(ask(command), (end) =>
          end._tag === "Done" ? Effect.succeed(end.value) : unexpected(command, end)
        ),
      refused: (command) =>
        Effect.flatMap(ask(command), (end) =>
          end._tag === "Failed" ? Effect.succeed(end.failure) : unexpected(command, end)
        ),
      stored: () => stored,
      failures: () => failures,
      signal: running.signal,
      kill: Effect.zipRight(running.signal("SIGKILL"), Effect.asVoid(running.ended)),
      ended: running.ended
    } satisfies Child
  })

/** Like `start`, for a process whose engine must come up; returns once the engine is up. */
export const open = (data: string, options: Options = {}): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.tap(start(data, options), (child) =>
    Effect.flatMap(child.opened, (end) =>
      end._tag === "Done" ? Effect.void : Effect.dieMessage(`not opened: ${JSON.stringify(end)}`)
    )
  )
