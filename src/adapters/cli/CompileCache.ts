/**
 * Keeps what V8 makes of the program's files in the user's folder of caches, where Node can (from 22 on): most of a start
 * is compiling. Nobody else writes there, as Node runs what it finds.
 */
import nodeModule from "node:module"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"

/** What the place depends on. */
interface Host {
  readonly platform: NodeJS.Platform
  readonly env: { readonly [name: string]: string | undefined }
  /** The user's own folder; "" when there is none. */
  readonly home: string
}

/**
 * Null when there is no place.
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

/** For the files that are loaded from now on. A folder that cannot be written is left alone. */
export const keep = (): void => {
  // The types are those of Node 20.
  const enable: unknown = Reflect.get(nodeModule, "enableCompileCache")
  const place = folder({ platform: process.platform, env: process.env, home: home() })
  if (typeof enable === "function" && place !== null) Reflect.apply(enable, nodeModule, [place])
}
