/**
 * The client as the editor of one session, as far as it offers files and terminals. Each request is bounded in time, but
 * the wait for a command's end, which has the command's own limit; a client that is gone fails what waits for it.
 *
 * A command's terminal is the client's, and shows its output as it comes. It is released when the command has ended, timed
 * out or was interrupted, which ends the command. Its input is empty. Of the agent's own variables, those that the `shell`
 * tool passes on to no command are empty there.
 */
import type { AgentContext, ClientCapabilities, WaitForTerminalExitResponse } from "@agentclientprotocol/sdk"
import { Duration, Effect, Option, Predicate, Runtime } from "effect"
import * as Excerpt from "../../domain/Excerpt.js"
import type { CallId } from "../../domain/Message.js"
import type { SessionId } from "../../domain/Session.js"
import type { Command } from "../../services/Exec.js"
import * as Tool from "../../services/Tool.js"
import type { TerminalCommands } from "../node/TerminalCommands.js"
import { type Editor, EditorFailed } from "../tools/Editors.js"

/** How long a client may take for one request. A person may have to look at what is written. */
const patience = Duration.minutes(1)
/** For what only tidies up. */
const shortPatience = Duration.seconds(5)

/** Whether a client has anything for tools. */
export const isOffered = ({ fs, terminal }: ClientCapabilities): boolean =>
  terminal === true || fs?.readTextFile === true || fs?.writeTextFile === true

/** The protocol's code for what is not there. */
const notFound = -32002

/** An error of JSON-RPC is an answer. */
const failed = (asked: string) => (error: unknown) =>
  error instanceof Error && Predicate.hasProperty(error, "code") && Predicate.isNumber(error.code)
    ? new EditorFailed({ reason: error.code === notFound ? "unknown" : "refused", asked, detail: error.message })
    : new EditorFailed({ reason: "gone", asked, detail: null })

interface Options {
  readonly client: AgentContext
  readonly capabilities: ClientCapabilities
  readonly sessionId: SessionId
  readonly commands: TerminalCommands
  /** Hears which terminal a call's command runs in, before it ends. */
  readonly onTerminal: (callId: CallId, terminalId: string) => Effect.Effect<void>
}

export const make = ({ capabilities, client, commands, onTerminal, sessionId }: Options): Editor => {
  const asking = <A>(asked: string, request: (options: { readonly cancellationSignal: AbortSignal }) => Promise<A>) =>
    Effect.tryPromise({
      try: (cancellationSignal) => request({ cancellationSignal }),
      catch: failed(asked)
    })
  const inTime =
    (asked: string, within: Duration.Duration = patience) =>
    <A>(effect: Effect.Effect<A, EditorFailed>) =>
      Effect.timeoutFail(effect, {
        duration: within,
        onTimeout: () => new EditorFailed({ reason: "silent", asked, detail: null })
      })

  const read: Editor["read"] = ({ absolute, printed }) => {
    const asked = `read ${printed}`
    return asking(asked, (options) => client.request("fs/read_text_file", { sessionId, path: absolute }, options)).pipe(
      inTime(asked),
      Effect.map(({ content }) => content)
    )
  }

  const write: Editor["write"] = ({ absolute, printed }, content) => {
    const asked = `write ${printed}`
    return asking(asked, (options) =>
      client.request("fs/write_text_file", { sessionId, path: absolute, content }, options)
    ).pipe(inTime(asked), Effect.asVoid)
  }

  /** Made late or in vain, it is released too. */
  const openTerminal = ({ command, cwd, env, maxBytes }: Command, callId: CallId | null) =>
    Effect.gen(function* () {
      const asked = "run the command"
      const [program, ...args] = typeof command === "string" ? commands.argv(command) : command
      const variables = Object.entries({ ...commands.variables(callId), ...env })
      let terminalId: string | null = null
      let isOver = false
      const release = (terminalId: string) =>
        asking("release a terminal", (options) =>
          client.request("terminal/release", { sessionId, terminalId }, options)
        ).pipe(inTime("release a terminal", shortPatience), Effect.ignore)
      const runtime = yield* Effect.runtime<never>()
      yield* Effect.addFinalizer(() => {
        isOver = true
        return terminalId === null ? Effect.void : release(terminalId)
      })
      return yield* asking(asked, async (options) => {
        const made = await client.request(
          "terminal/create",
          {
            sessionId,
            command: program,
            args: [...args],
            cwd,
            env: variables.map(([name, value]) => ({ name, value })),
            outputByteLimit: maxBytes
          },
          options
        )
        if (isOver) Runtime.runFork(runtime)(release(made.terminalId))
        else terminalId = made.terminalId
        return made.terminalId
      }).pipe(inTime(asked))
    })

  const run: Editor["run"] = (command) =>
    Effect.gen(function* () {
      const callId = Option.map(yield* Effect.serviceOption(Tool.Call), ({ callId }) => callId)
      const terminalId = yield* openTerminal(command, Option.getOrNull(callId))
      if (Option.isSome(callId)) yield* onTerminal(callId.value, terminalId)
      const terminal = { sessionId, terminalId }
      const asked = "see how the command went on"
      const exit = yield* asking(asked, (options) => client.request("terminal/wait_for_exit", terminal, options)).pipe(
        Effect.timeoutOption(command.timeoutMillis)
      )
      if (Option.isNone(exit)) {
        yield* asking(asked, (options) => client.request("terminal/kill", terminal, options)).pipe(
          inTime(asked, shortPatience)
        )
      }
      const { output, truncated } = yield* asking(asked, (options) =>
        client.request("terminal/output", terminal, options)
      ).pipe(inTime(asked))
      const all = `${truncated ? "[the beginning of the output is cut]\n" : ""}${output}`
      const { text, truncatedBytes } = Excerpt.result(Excerpt.append(Excerpt.empty(command.maxBytes), all))
      const { exitCode = null, signal = null } = Option.getOrElse(exit, (): WaitForTerminalExitResponse => ({}))
      return {
        exitCode,
        signal,
        output: text,
        truncatedBytes,
        isComplete: true,
        timedOut: Option.isNone(exit),
        endedOthers: false
      }
    }).pipe(Effect.scoped)

  return {
    read: capabilities.fs?.readTextFile === true ? read : null,
    write: capabilities.fs?.writeTextFile === true ? write : null,
    run: capabilities.terminal === true ? run : null
  }
}
