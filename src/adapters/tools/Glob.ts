/** Glob patterns as expressions for paths with `/` between names. A pattern without `/` is for names at any depth. */
import { Either } from "effect"
import picomatch from "picomatch"
import { PatternRefused } from "./FileErrors.js"
import type { Expression } from "./Matcher.js"

const maxCharacters = 1000

/** The pattern, which may have `*`, `**`, `?`, `[…]`, `{a,b}` and extended globs, as an expression. */
export const compile = (pattern: string): Either.Either<Expression, PatternRefused> => {
  const refuse = (detail: string) =>
    Either.left(new PatternRefused({ pattern: pattern.slice(0, maxCharacters), detail }))
  if (pattern === "") return refuse("it is empty")
  if (pattern.length > maxCharacters) return refuse(`it has more than ${maxCharacters} characters`)
  if (pattern.startsWith("/") || pattern.split("/").includes("..")) {
    return refuse("it must start at the folder that is searched, without / at the start and without ..")
  }
  const { flags, source } = picomatch.makeRe(pattern.includes("/") ? pattern : `**/${pattern}`, {
    dot: true,
    nonegate: true,
    windows: false
  })
  return Either.right({ pattern, source, flags })
}
