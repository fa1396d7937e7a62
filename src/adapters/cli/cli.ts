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
import { Version } from "./Version.js"

interface Program {
  readonly run: (given: Values) => Effect.Effect<void, unknown, Screen.Screen | FileSystem.FileSystem | Path.Path>
}

/** Commands that share much are one piece: every further piece splits what they have in common into more files. */
const runs = () => import("./commands/runs.js")
const server = () => import("./commands/server.js")
const tokens = () => import("./commands/tokens.js")
const rules = () => import("./commands/rules.js")
const mcp = () => import("./commands/mcp.js")

const programs: ReadonlyMap<string, () => Promise<Program>> = new Map<string, () => Promise<Program>>([
  ["demo", () => import("./commands/demo.js")],
  ["run", () => runs().then(({ run }) => run)],
  ["watch", () => runs().then(({ watch }) => watch)],
  ["serve", () => server().then(({ serve }) => serve)],
  ["acp", () => import("./commands/acp.js")],
  ["openapi", () => server().then(({ openapi }) => openapi)],
  ["sessions list", () => import("./commands/sessions/list.js")],
  ["sessions show", () => import("./commands/sessions/show.js")],
  ["sessions rename", () => import("./commands/sessions/rename.js")],
  ["sessions model", () => import("./commands/sessions/model.js")],
  ["sessions agent", () => import("./commands/sessions/agent.js")],
  ["sessions move", () => import("./commands/sessions/move.js")],
  ["sessions delete", () => import("./commands/sessions/delete.js")],
  ["export", () => import("./commands/export.js")],
  ["import", () => import("./commands/import.js")],
  ["rules list", () => rules().then(({ list }) => list)],
  ["rules add", () => rules().then(({ add }) => add)],
  ["rules remove", () => rules().then(({ remove }) => remove)],
  ["rules test", () => rules().then(({ test }) => test)],
  ["token create", () => tokens().then(({ create }) => create)],
  ["token link", () => tokens().then(({ link }) => link)],
  ["token list", () => tokens().then(({ list }) => list)],
  ["token revoke", () => tokens().then(({ revoke }) => revoke)],
  ["audit", () => import("./commands/audit.js")],
  ["mcp list", () => mcp().then(({ list }) => list)],
  ["mcp add", () => mcp().then(({ add }) => add)],
  ["mcp remove", () => mcp().then(({ remove }) => remove)],
  ["mcp test", () => mcp().then(({ test }) => test)],
  ["mcp trust", () => mcp().then(({ trust }) => trust)],
  ["mcp login", () => mcp().then(({ login }) => login)],
  ["mcp logout", () => mcp().then(({ logout }) => logout)],
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

export const main = ({ name }: Commands.Command, given: Values, version: string): void => {
  process.on("uncaughtException", crash)
  const load = programs.get(name) ?? (() => Promise.reject(new Error(`no program for ${name}`)))
  const command = Effect.promise(load).pipe(
    Effect.flatMap(({ run }) => run(given)),
    (run) => Effect.flatMap(Logs.settings(given), (settings) => Effect.provide(run, Logs.layer(settings))),
    reportFailure,
    Effect.provide(layer),
    Effect.provideService(Version, version)
  )
  Signals.runMain(command, Failure.exitCode)
}
