/**
 * Permissions: a policy's decision on each call, asked before the call waits for its key. There is no
 * default policy: a host says which. A human's answer is durable and belongs to the exact call that was asked about.
 */
import { Context, Effect, Layer } from "effect"
import type { CallId } from "../domain/Message.js"
import type { Access, Decision } from "../domain/Permission.js"
import type { Run } from "../domain/Run.js"
import type { Session } from "../domain/Session.js"

export interface Request {
  readonly session: Session
  readonly run: Run
  readonly callId: CallId
  readonly tool: string
  readonly access: Access
  /** The call's raw input. */
  readonly input: string
}

export interface Service {
  /** Whether the call may run. A tool that a human allowed for the session is not asked about again. */
  readonly decide: (request: Request) => Effect.Effect<Decision>
}

export class Permissions extends Context.Tag("skein/Permissions")<Permissions, Service>() {}

export const allow: Decision = { _tag: "Allow" }
/** Asks a human; the call waits and holds nothing that others need. */
export const ask: Decision = { _tag: "Ask" }
/** Denies the call; the model is told `message`. */
export const deny = (message: string): Decision => ({ _tag: "Deny", message })

/** A policy of the host's own. Its requirements become the layer's. */
export const layer = <R>(
  decide: (request: Request) => Effect.Effect<Decision, never, R>
): Layer.Layer<Permissions, never, R> =>
  Layer.effect(
    Permissions,
    Effect.map(Effect.context<R>(), (context) => ({
      decide: (request: Request) => Effect.provide(decide(request), context)
    }))
  )

/** Reads are allowed, all else is asked. */
export const layerDefault: Layer.Layer<Permissions> = layer(({ access }) =>
  Effect.succeed(access === "read" ? allow : ask)
)

/** Everything is allowed: for workspaces where nothing can be lost. */
export const layerAllowAll: Layer.Layer<Permissions> = layer(() => Effect.succeed(allow))

/** Reads are allowed, all else is denied with `message`: for hosts where nobody can be asked. */
export const layerReadOnly = (message: string): Layer.Layer<Permissions> =>
  layer(({ access }) => Effect.succeed(access === "read" ? allow : deny(message)))
