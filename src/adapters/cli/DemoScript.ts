/** What the demonstration's model says: written down before, for the files that there are. Pure. */
import type * as Script from "../../domain/Script.js"

/** Files that say what a folder is about, the telling ones first. */
const telling = [
  /^readme(\.|$)/i,
  /^(package\.json|cargo\.toml|go\.mod|pyproject\.toml|makefile)$/i,
  /\.(md|txt|rst)$/i,
  /\.(c|cc|cpp|cs|go|h|html|java|js|json|mjs|php|py|rb|rs|sh|toml|ts|tsx|yaml|yml)$/i
]

/** Long, and written by programs. */
const isLockFile = (name: string): boolean => /(^|[-.])lock\b/i.test(name)

const rank = (name: string): number => {
  const at = telling.findIndex((pattern) => pattern.test(name))
  return at === -1 ? telling.length : at
}

const mostFiles = 3

/**
 * Which of a folder's files to read. Hidden ones are none of the demonstration's business.
 *
 * @internal
 */
export const choose = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names
    .filter((name) => !name.startsWith(".") && !isLockFile(name) && rank(name) < telling.length)
    .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1))
    .slice(0, mostFiles)

/** One step with several calls, those that take longest first, and one that closes the turn. */
export const make = (names: ReadonlyArray<string>): Script.Script => {
  const calls: ReadonlyArray<Script.Call> = [
    { name: "grep", input: { pattern: "TODO|FIXME" } },
    { name: "glob", input: { pattern: "**/*" } },
    { name: "list", input: {} },
    ...choose(names).map((path) => ({ name: "read", input: { path } }))
  ]
  return [
    {
      text: `I ask for ${calls.length} tools at once, the slowest first. Each is told as soon as it is done:`,
      calls,
      delayMillis: 8
    },
    { text: "I am only a script and cannot read what they found; you can, as said below.", delayMillis: 8 }
  ]
}
