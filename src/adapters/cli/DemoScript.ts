/** The script of the demonstration's model, for the files of a folder. Pure. */
import type * as Script from "../../domain/Script.js"
import * as Texts from "./texts/Demo.js"

/** Files that say what a folder is about, the best first. */
const patterns = [
  /^readme(\.|$)/i,
  /^(package\.json|cargo\.toml|go\.mod|pyproject\.toml|makefile)$/i,
  /\.(md|txt|rst)$/i,
  /\.(c|cc|cpp|cs|go|h|html|java|js|json|mjs|php|py|rb|rs|sh|toml|ts|tsx|yaml|yml)$/i
]

/** Long, and generated. */
const isLockFile = (name: string): boolean => /(^|[-.])lock\b/i.test(name)

const rank = (name: string): number => {
  const at = patterns.findIndex((pattern) => pattern.test(name))
  return at === -1 ? patterns.length : at
}

const mostFiles = 3

/**
 * The files to read; never a hidden one.
 *
 * @internal
 */
export const choose = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names
    .filter((name) => !name.startsWith(".") && !isLockFile(name) && rank(name) < patterns.length)
    .sort((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1))
    .slice(0, mostFiles)

/** A step with several calls, the slowest first, and the step that ends the turn. */
export const make = (names: ReadonlyArray<string>): Script.Script => {
  const calls: ReadonlyArray<Script.Call> = [
    { name: "grep", input: { pattern: "TODO|FIXME" } },
    { name: "glob", input: { pattern: "**/*" } },
    { name: "list", input: {} },
    ...choose(names).map((path) => ({ name: "read", input: { path } }))
  ]
  return [
    {
      text: Texts.opening(calls.length),
      calls,
      delayMillis: 8
    },
    { text: Texts.answer, delayMillis: 8 }
  ]
}
