/** Runs a command of the command line: what it needs, what it logs, how it ends. A command is loaded when it is called. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import { Cause, Effect, Layer } from "effect"
import type { Values } from "./CommandLine.js"
import * as Failure from "./Failure.js"
import * as Logs from "./Logs.js"
import * as Signals from "./Signals.js"
import * as Screen from "./terminal/Screen.js"
import type * as Commands from "./texts/Commands.js"

interface Program {
  readonly run: (given: Values) => Effect.Effect<void, unknown, Screen.Screen | FileSystem.FileSystem | Path.Path>
}

const programs: ReadonlyMap<string, () => Promise<Program>> = new Map<string, () => Promise<Program>>([
  ["demo", () => import("./commands/demo.js")],
  ["run", () => import("./commands/run.js")],
  ["sessions list", () => import("./commands/sessions/list.js")],
  ["sessions show", () => import("./commands/sessions/show.js")],
  ["sessions rename", () => import("./commands/sessions/rename.js")],
  ["sessions model", () => import("./commands/sessions/model.js")],
  ["sessions agent", () => import("./commands/sessions/agent.js")],
  ["sessions move", () => import("./commands/sessions/move.js")],
  ["sessions delete", () => import("./commands/sessions/delete.js")],
  ["export", () => import("./commands/export.js")],
  ["import", () => import("./commands/import.js")],
  ["doctor", () => import("./commands/doctor.js")],
  ["backup", () => import("./commands/backup.js")],
  ["restore", () => import("./commands/restore.js")]
])

const layer = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, Screen.layer)

const reportFailure = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.tapErrorCause(effect, (cause) =>
    Effect.flatMap(Screen.Screen, (screen) => {
      const text = Failure.report(cause)
      return text === null ? Effect.void : screen.writeError(`${text}\n`)
    })
  )

/** Reports an exception that nothing caught. What was announced is stored, so nothing is lost by ending here. */
const crash = (error: unknown): never => {
  process.stderr.write(`${Failure.report(Cause.die(error))}\n`)
  return process.exit(1)
}

export const main = ({ name }: Commands.Command, given: Values): void => {
  process.on("uncaughtException", crash)
  const load = programs.get(name) ?? (() => Promise.reject(new Error(`no program for ${name}`)))
  const command = Effect.promise(load).pipe(
    Effect.flatMap(({ run }) => run(given)),
    (run) => Effect.flatMap(Logs.settings(given), (settings) => Effect.provide(run, Logs.layer(settings))),
    reportFailure,
    Effect.provide(layer)
  )
  Signals.runMain(command, Failure.exitCode)
}
