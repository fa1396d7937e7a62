/**
 * Permissions: an agent's policy decides on each call, before the call waits for its key. There is no default policy: a
 * host says which. A human's answer is durable and belongs to the exact call that was asked about.
 */
import { Effect } from "effect"
import type { CallId } from "../domain/Message.js"
import type { Access, Decision } from "../domain/Permission.js"
import type { Run } from "../domain/Run.js"
import type { Session } from "../domain/Session.js"

/** A call, as a policy sees it. */
export interface Request {
  readonly session: Session
  readonly run: Run
  readonly callId: CallId
  readonly tool: string
  readonly access: Access
  /** The call's raw input. */
  readonly input: string
}

/** Whether a call may run. A tool that a human allowed for the session is not asked about again. */
export type Policy<R = never> = (request: Request) => Effect.Effect<Decision, never, R>

/** Lets the call run. */
export const allow: Decision = { _tag: "Allow" }
/** Asks a human; the call waits and holds nothing that others need. */
export const ask: Decision = { _tag: "Ask" }
/** Denies the call; the model is told `message`. */
export const deny = (message: string): Decision => ({ _tag: "Deny", message })

const byAccess =
  (otherwise: Decision): Policy =>
  ({ access }) =>
    Effect.succeed(access === "read" ? allow : otherwise)

/** Reads are allowed, all else is asked. */
export const askToWrite: Policy = byAccess(ask)

/** Everything is allowed: for workspaces where nothing can be lost. */
export const allowAll: Policy = () => Effect.succeed(allow)

/** Reads are allowed, all else is denied with `message`: for hosts where nobody can be asked. */
export const readOnly = (message: string): Policy => byAccess(deny(message))
