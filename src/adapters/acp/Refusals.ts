/** Errors with the codes by which clients of the protocol know them. */
import { Cause, Data, Predicate } from "effect"
import * as SkeinError from "../../domain/SkeinError.js"

/** A request is refused. */
export class Refused extends Data.TaggedError("Refused")<{
  /** The error code of JSON-RPC. */
  readonly code: number
  readonly message: string
  /** Details that the client can use. */
  readonly data?: object
}> {}

/** What the client sent is wrong. */
export const invalidParams = (message: string): Refused => new Refused({ code: -32602, message })

export const noSession = new Refused({ code: -32002, message: "There is no such session" })

export const internal = (message: string, data: object = {}): Refused => new Refused({ code: -32603, message, data })

const codeOf = (error: { readonly _tag: string }): number => {
  if (error._tag === "InvalidInput") return -32602
  return error._tag.endsWith("NotFound") ? -32002 : -32603
}

const dataOf = (error: object) => (Predicate.hasProperty(error, "runId") ? { data: { runId: error.runId } } : {})

const goneOn = (what: string) => internal(`${what}; the command /resume continues a run that was cut off`)

/** The server of a session is gone. */
export const gone = goneOn("The server that worked on this session is gone")

/** Nothing of a session can be seen any more. */
export const unseen = goneOn("It can no longer be seen what happens in this session")

/** The refusal of a request. An error that no request can be blamed for is not described. */
export const of = (cause: Cause.Cause<unknown>): Refused => {
  if (Cause.isInterruptedOnly(cause)) return new Refused({ code: -32800, message: "The request was cancelled" })
  const error = Cause.squash(cause)
  if (error instanceof Refused) return error
  if (SkeinError.is(error)) return new Refused({ code: codeOf(error), message: error.message, ...dataOf(error) })
  return internal(error instanceof Error && "_tag" in error ? error.message : "Something went wrong here")
}
