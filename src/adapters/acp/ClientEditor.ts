/**
 * The client as the editor of one session, as far as it offers files and terminals. Each request is bounded in time,
 * except the wait for a command's end, which has the command's own limit. When the client is gone, whatever waits for
 * it fails.
 *
 * A command's terminal is the client's, and shows its output as it comes. It is released when the command has ended,
 * timed out or been interrupted, and releasing it ends the command. Its input is empty. The agent's own variables that
 * the `shell` tool passes on to no command are empty there.
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

/** How long a client may take for one request. A person may have to review what is written. */
const patience = Duration.minutes(1)
/** The same for requests that only clean up. */
const shortPatience = Duration.seconds(5)

/** Whether a client offers anything to tools. */
export const isOffered = ({ fs, terminal }: ClientCapabilities): boolean =>
  terminal === true || fs?.readTextFile === true || fs?.writeTextFile === true

/** The protocol's code for something that does not exist. */
const notFound = -32002

/** An error with a JSON-RPC code is the client's answer; any other error means that the client is gone. */
const failed = (asked: string) => (error: unknown) =>
  error instanceof Error && Predicate.hasProperty(error, "code") && Predicate.isNumber(error.code)
    ? new EditorFailed({ reason: error.code === notFound ? "unknown" : "refused", asked, detail: error.message })
    : new EditorFailed({ reason: "gone", asked, detail: null })

interface Options {
  readonly client: AgentContext
  readonly capabilities: ClientCapabilities
  readonly sessionId: SessionId
  readonly commands: TerminalCommands
  /** Called with the terminal that a call's command runs in, before the command ends. */
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

  /** A terminal that is created too late, or in vain, is released too. */
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
      const asked = "follow the command"
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
