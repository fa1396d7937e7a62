/** The command line: its commands, what it prints, how it ends. */
import { CliConfig, Command, HelpDoc } from "@effect/cli"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import { Cause, Effect, Layer } from "effect"
import { backup } from "./commands/backup.js"
import { demo } from "./commands/demo.js"
import { doctor } from "./commands/doctor.js"
import { restore } from "./commands/restore.js"
import { run } from "./commands/run.js"
import { sessions } from "./commands/sessions.js"
import * as Failure from "./Failure.js"
import * as HelpText from "./HelpText.js"
import * as Logs from "./Logs.js"
import * as Screen from "./terminal/Screen.js"

const skein = Command.make("skein").pipe(
  Command.withSubcommands([demo, run, sessions, doctor, backup, restore]),
  Command.withDescription("Agent sessions: tools in parallel, one durable order")
)

const parents = new Map(["list", "show", "rename", "model", "delete"].map((name) => [name, "sessions"]))

const footer = HelpDoc.p(
  "Every command knows --help and --log-level LEVEL (none by default) and --log-file FILE. " +
    "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 cancelled."
)

/** Help goes to stdout, without colours; that something is wrong is said once, by `Failure`. */
const withQuietConsole = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const screen = yield* Screen.Screen
    const console = yield* Effect.console
    const print = (text: unknown) => Effect.ignore(screen.write(HelpText.plain(String(text), "skein", parents)))
    return yield* Effect.withConsole(effect, { ...console, log: print, error: () => Effect.void })
  })

const layer = Layer.mergeAll(
  CliConfig.layer({ showBuiltIns: false, finalCheckBuiltIn: true }),
  NodeFileSystem.layer,
  NodePath.layer,
  NodeTerminal.layer,
  Screen.layer
)

const reportFailure = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.tapErrorCause(effect, (cause) =>
    Effect.flatMap(Screen.Screen, (screen) => {
      const text = Failure.report(cause)
      return text === null ? Effect.void : screen.writeError(`${text}\n`)
    })
  )

/** A closed terminal ends a run as a first SIGTERM does. A second signal of a kind ends the process at once. */
const hangUp = () => process.kill(process.pid, "SIGTERM")

/** What nothing caught, said as any other failure. What was announced is stored, so nothing is lost by ending here. */
const crash = (error: unknown): never => {
  process.stderr.write(`${Failure.report(Cause.die(error))}\n`)
  return process.exit(1)
}

export const main = (version: string): void => {
  process.once("SIGHUP", hangUp)
  process.on("uncaughtException", crash)
  const [node = "", program = "", ...given] = process.argv
  const run = Command.run(skein, { name: "skein", version, executable: "skein", footer })
  Logs.take(given).pipe(
    Effect.flatMap((taken) => Effect.provide(run([node, program, ...taken.args]), Logs.layer(taken))),
    withQuietConsole,
    reportFailure,
    Effect.provide(layer),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      disablePrettyLogger: true,
      teardown: (exit) => process.exit(Failure.exitCode(exit))
    })
  )
}
