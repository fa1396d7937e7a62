/**
 * The variables that a command gets: those of the engine's own environment that a list names, and a few that keep
 * programs from waiting for a person. Everything else stays out, keys above all.
 *
 * Passed by default: who and where the user is, the agent that holds SSH keys, proxies and their certificates, and where
 * toolchains are installed.
 *
 * Each command also gets marks by which the processes that it starts are found again: `SKEIN_EXEC` and, in a call,
 * `SKEIN_CALL`.
 *
 * Not hidden: a process of the same user can read another process's initial environment from the system (/proc on
 * Linux). A proxy variable may hold a password.
 */

const everywhere = [
  "SSH_AUTH_SOCK",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "FTP_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "ftp_proxy",
  "all_proxy",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "VIRTUAL_ENV",
  "CONDA_PREFIX",
  "JAVA_HOME",
  "GOPATH",
  "GOROOT",
  "CARGO_HOME",
  "RUSTUP_HOME",
  "NVM_DIR",
  "PYENV_ROOT"
]

const posix = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"]

/** Prefixes of names. */
const families = ["LC_", "XDG_"]

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
export const quiet = { TERM: "dumb", PAGER: "cat", GIT_PAGER: "cat", GIT_TERMINAL_PROMPT: "0" }

type Variables = { readonly [name: string]: string | undefined }

/** `inherit` names further variables to pass on. On Windows the case of names does not matter. */
export const make = (
  platform: NodeJS.Platform,
  own: Variables,
  inherit: ReadonlyArray<string>
): { readonly [name: string]: string } => {
  const fold = (name: string) => (platform === "win32" ? name.toUpperCase() : name)
  const allowed = new Set([...everywhere, ...(platform === "win32" ? windows : posix), ...inherit].map(fold))
  const isPassed = (name: string) => allowed.has(fold(name)) || families.some((start) => fold(name).startsWith(start))
  const passed = Object.entries(own).flatMap(([name, value]) =>
    value !== undefined && isPassed(name) ? [[name, value] as const] : []
  )
  return { ...Object.fromEntries(passed), ...quiet }
}
