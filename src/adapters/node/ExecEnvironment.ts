/**
 * The variables that a command gets: named ones of the engine's own environment, and a few that keep programs from
 * waiting for a person. Everything else stays out, keys above all: what is not on the list is not passed on.
 *
 * Not hidden: a process of the same user can read another one's first environment from the system (/proc on Linux).
 */

const posix = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"]

const windows = [
  "PATH",
  "PATHEXT",
  "SYSTEMROOT",
  "SYSTEMDRIVE",
  "WINDIR",
  "COMSPEC",
  "TEMP",
  "TMP",
  "USERNAME",
  "USERPROFILE",
  "HOMEDRIVE",
  "HOMEPATH",
  "APPDATA",
  "LOCALAPPDATA",
  "PROGRAMDATA",
  "PROGRAMFILES",
  "PROGRAMFILES(X86)",
  "NUMBER_OF_PROCESSORS",
  "PROCESSOR_ARCHITECTURE"
]

/** No colours or cursor movements, no pager, no question on the terminal. */
const quiet = { TERM: "dumb", PAGER: "cat", GIT_PAGER: "cat", GIT_TERMINAL_PROMPT: "0" }

type Variables = { readonly [name: string]: string | undefined }

/** `inherit` names further variables to pass on. On Windows names are the same in either case. */
export const make = (
  platform: NodeJS.Platform,
  own: Variables,
  inherit: ReadonlyArray<string>
): { readonly [name: string]: string } => {
  const fold = (name: string) => (platform === "win32" ? name.toUpperCase() : name)
  const allowed = new Set([...(platform === "win32" ? windows : posix), ...inherit].map(fold))
  const isPassed = (name: string) => allowed.has(fold(name)) || name.startsWith("LC_")
  const passed = Object.entries(own).flatMap(([name, value]) =>
    value !== undefined && isPassed(name) ? [[name, value] as const] : []
  )
  return { ...Object.fromEntries(passed), ...quiet }
}
