/** The `Models` of one provider: all of its models, with one key. */
import { Config, Effect } from "effect"
import type { ConfigError, Redacted } from "effect"
import { only } from "../../domain/Offer.js"
import * as ModelRef from "../../domain/ModelRef.js"
import type { Session } from "../../domain/Session.js"
import { ModelUnavailable } from "../../domain/SkeinError.js"
import type { Model, Models } from "../../services/Model.js"
import { headerFault } from "./Vendor.js"

/**
 * Serves a session without a model with `standard`, and a session with another model of the same provider with `other`.
 * Refuses all other models.
 */
export const make = (standard: Model, other: (model: string) => Effect.Effect<Model, ModelUnavailable>): Models => ({
  resolve: ({ model: ref }: Session) => {
    if (ref === null) return Effect.succeed(standard)
    if (ref.provider !== standard.provider)
      return Effect.fail(refused(ref, `only ${standard.provider} is configured here`))
    return ref.model === standard.model ? Effect.succeed(standard) : other(ref.model)
  },
  offered: [only(standard)]
})

const sendable = (variable: string): Config.Config<Redacted.Redacted> =>
  Config.redacted(variable).pipe(
    Config.validate({
      message: `${variable} cannot be sent: it contains a line break or another character that a header cannot carry`,
      validation: (key) => headerFault(key) === null
    })
  )

/** Like `make`; the key defaults to the variable. Without a name, `of` makes the standard model. */
export const withKey = (
  variable: string,
  given: Redacted.Redacted | undefined,
  of: (apiKey: Redacted.Redacted, model?: string) => Model
): Effect.Effect<Models, ConfigError.ConfigError> =>
  Effect.map(given === undefined ? sendable(variable) : Effect.succeed(given), (apiKey) =>
    make(of(apiKey), (model) => Effect.sync(() => of(apiKey, model)))
  )

export const refused = (ref: { readonly provider: string; readonly model: string }, detail: string): ModelUnavailable =>
  new ModelUnavailable({ model: ModelRef.toText(ref), detail })
