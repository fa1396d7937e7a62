/**
 * Keeps V8's compiled code of the program's files in the user's cache folder, if Node can do so (from 22 on): most of a
 * start is compiling. Nobody else writes there, because Node runs what it finds.
 */
import nodeModule from "node:module"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"

/** What the folder depends on. */
interface Host {
  readonly platform: NodeJS.Platform
  readonly env: { readonly [name: string]: string | undefined }
  /** The user's home folder; "" without one. */
  readonly home: string
}

/**
 * The folder of the cache; null when there is no place for one.
 *
 * @internal
 */
export const folder = ({ env, home, platform }: Host): string | null => {
  const below = (...names: ReadonlyArray<string>) => (isAbsolute(home) ? join(home, ...names) : null)
  const usual =
    platform === "win32"
      ? (env["LOCALAPPDATA"] ?? below("AppData", "Local"))
      : platform === "darwin"
        ? below("Library", "Caches")
        : env["XDG_CACHE_HOME"] !== undefined && isAbsolute(env["XDG_CACHE_HOME"])
          ? env["XDG_CACHE_HOME"]
          : below(".cache")
  return usual === null ? null : join(usual, platform === "win32" ? "skein-cache" : "skein")
}

const home = (): string => {
  try {
    return homedir()
  } catch {
    return ""
  }
}

/** Keeps the files that are loaded from now on. A folder that cannot be written is left alone. */
export const keep = (): void => {
  // The types are those of Node 20.
  const enable: unknown = Reflect.get(nodeModule, "enableCompileCache")
  const place = folder({ platform: process.platform, env: process.env, home: home() })
  if (typeof enable === "function" && place !== null) Reflect.apply(enable, nodeModule, [place])
}
