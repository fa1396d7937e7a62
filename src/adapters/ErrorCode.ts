/** The code of what SQLite, Node or the system threw, such as SQLITE_FULL or ENOENT. */
import { Predicate } from "effect"

/** The error's code, or that of its cause, as libraries wrap errors; without one, the kind of error. */
export const codeOf = (thrown: unknown): string => {
  if (Predicate.hasProperty(thrown, "code") && typeof thrown.code === "string") return thrown.code
  if (Predicate.hasProperty(thrown, "cause") && thrown.cause !== undefined) return codeOf(thrown.cause)
  return thrown instanceof Error ? thrown.name : "UNKNOWN"
}
