/** Why a server failed, in words that contain nothing that it wrote. */
import { Predicate } from "effect"
import { codeOf } from "../ErrorCode.js"
import * as Exchange from "./Exchange.js"
import * as Logins from "./Logins.js"
import { Misbehaved } from "./MessageBounds.js"

/** The HTTP status that a server refused a request with; null for any other failure. */
const statusOf = (thrown: unknown): number | null =>
  Predicate.hasProperty(thrown, "status") && typeof thrown.status === "number" ? thrown.status : null

/** Whether a server wants to know who the user is. */
export const isUnauthorized = (thrown: unknown): boolean =>
  thrown instanceof Logins.LoginNeeded ||
  (thrown instanceof Error && thrown.name === "UnauthorizedError") ||
  statusOf(thrown) === 401

/**
 * Whether a server does not know the session any more: it has done nothing. The protocol has 404 for that; many servers
 * say it with 400 and words.
 */
export const isForgotten = (thrown: unknown): boolean => {
  const status = statusOf(thrown)
  return status === 404 || (status === 400 && thrown instanceof Error && /session/i.test(thrown.message))
}

/** The SDK has no error of its own for this one. Its text is not passed on, because it holds what the server wrote. */
const isUnknownVersion = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.message.startsWith("Server's protocol version is not supported")

/** Whether an answer is no JSON, no message, or has no such result. */
const isInvalid = (thrown: unknown): boolean =>
  thrown instanceof SyntaxError ||
  (thrown instanceof Error && thrown.name === "ZodError") ||
  (Predicate.hasProperty(thrown, "code") && thrown.code === "INVALID_RESULT")

/** Whether a server answered with an error: its text is for the model, like a result. */
export const isAnswer = (thrown: unknown): thrown is Error =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "number" && Exchange.whyFailed(thrown) === null

/** Why an answer cannot be used; null for any other failure. */
export const ofAnswer = (thrown: unknown): string | null =>
  isAnswer(thrown) ? "it answered with an error" : isInvalid(thrown) ? of(thrown) : null

/** Why anything failed. */
export const of = (thrown: unknown): string => {
  const status = statusOf(thrown)
  if (isUnauthorized(thrown)) return "it requires a login: skein mcp login"
  if (status !== null) return `it answered with the HTTP status ${status}`
  if (isUnknownVersion(thrown)) return "it speaks a version of the protocol that is not supported"
  if (isInvalid(thrown)) return "its answer does not keep to the protocol"
  return thrown instanceof Misbehaved ? thrown.message : (Exchange.whyFailed(thrown)?.message ?? codeOf(thrown))
}
