/**
 * Where Skein keeps its data and its configuration on a host: the place given on the command line, else the one in the
 * environment, else the platform's usual place. Only names a place; creates nothing.
 */
import { Effect, Either, Option } from "effect"
import { homedir } from "node:os"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as WorkspacePath from "../../domain/WorkspacePath.js"

/** What the places depend on. */
export interface Host {
  readonly platform: NodeJS.Platform
  readonly env: { readonly [name: string]: string | undefined }
  /** The user's home folder; "" when it is unknown. */
  readonly home: string
  /** Absolute: what relative paths are relative to. Null when the current folder is gone. */
  readonly cwd: string | null
}

export const host: Effect.Effect<Host> = Effect.sync(() => ({
  platform: process.platform,
  env: process.env,
  home: Option.getOrElse(Option.liftThrowable(homedir)(), () => ""),
  cwd: Option.getOrNull(Option.liftThrowable(() => process.cwd())())
}))

type ResolvedPath = Either.Either<string, InvalidInput>

const rulesOf = (platform: NodeJS.Platform): WorkspacePath.Platform => (platform === "win32" ? "win32" : "posix")

const resolve = ({ cwd, platform }: Host, field: string, path: string): ResolvedPath => {
  const rules = rulesOf(platform)
  if (cwd === null && WorkspacePath.isRooted(rules, path) !== true)
    return Either.left(
      new InvalidInput({ field, limit: "an absolute path, as the current folder is gone", actual: path })
    )
  return Either.mapLeft(
    WorkspacePath.resolve(rules, { base: cwd ?? path, path }),
    (refused) => new InvalidInput({ field, limit: "a path that can be used", actual: refused.message })
  )
}

/** Variables of the XDG convention count only when they are absolute. */
const absolute = ({ env, platform }: Host, name: string): string | undefined => {
  const value = env[name]
  return value !== undefined && WorkspacePath.isRooted(rulesOf(platform), value) === true ? value : undefined
}

/**
 * The variable that names the folder in which programs keep such files, and its path below home when that is not set.
 */
type Usual = readonly [variable: string | null, belowHome: string]

const usual = (platform: NodeJS.Platform, kind: "data" | "config"): Usual => {
  if (platform === "win32") return kind === "data" ? ["LOCALAPPDATA", "AppData/Local"] : ["APPDATA", "AppData/Roaming"]
  if (platform === "darwin") return [null, "Library/Application Support"]
  return kind === "data" ? ["XDG_DATA_HOME", ".local/share"] : ["XDG_CONFIG_HOME", ".config"]
}

const inUsual = (host: Host, kind: "data" | "config", name: string): ResolvedPath => {
  const [variable, belowHome] = usual(host.platform, kind)
  const named = variable === null ? undefined : absolute(host, variable)
  const folder = named ?? (host.home === "" ? undefined : `${host.home}/${belowHome}`)
  return folder === undefined
    ? Either.left(new InvalidInput({ field: kind, limit: "a path, as there is no home folder", actual: "nothing" }))
    : resolve(host, kind, `${folder}/${name}`)
}

/**
 * The folder for the database and the assets: `given` (the option `--data`), else `SKEIN_DATA`, else `skein` in the
 * platform's place for data. An empty text counts as nothing. Absolute. `InvalidInput` names `data` or `SKEIN_DATA`.
 */
export const data = (host: Host, given?: string): ResolvedPath => {
  if (given) return resolve(host, "data", given)
  const variable = host.env["SKEIN_DATA"]
  return variable ? resolve(host, "SKEIN_DATA", variable) : inUsual(host, "data", "skein")
}

/**
 * The file with the user's configuration: `SKEIN_CONFIG`, else `skein/config.json` in the platform's place for it.
 * Absolute. `InvalidInput` names `SKEIN_CONFIG` or `config`.
 */
export const config = (host: Host): ResolvedPath => {
  const variable = host.env["SKEIN_CONFIG"]
  return variable ? resolve(host, "SKEIN_CONFIG", variable) : inUsual(host, "config", "skein/config.json")
}

/** The folder with the user's permission rules: `rules` next to the configuration. Fails as `config` does. */
export const rules = (host: Host): ResolvedPath =>
  Either.flatMap(config(host), (file) => resolve(host, "config", `${file}/../rules`))
