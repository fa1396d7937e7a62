/** The code of what SQLite, Node or the system threw, such as SQLITE_FULL or ENOENT. */
import { Predicate } from "effect"

/** Returns the error's code, or its cause's, because libraries wrap errors; if there is none, the error's name. */
export const codeOf = (thrown: unknown): string => {
  if (Predicate.hasProperty(thrown, "code") && typeof thrown.code === "string") return thrown.code
  if (Predicate.hasProperty(thrown, "cause") && thrown.cause !== undefined) return codeOf(thrown.cause)
  return thrown instanceof Error ? thrown.name : "UNKNOWN"
}
