/**
 * What a host offers for its sessions: agents, and the models of each. It is what people choose from, not a limit: a
 * session may name a model that is not listed, and its next step shows whether there is such a model.
 */
import { Schema } from "effect"
import { AgentName } from "./AgentName.js"
import { ModelRef } from "./ModelRef.js"
import type { Named } from "./Named.js"
import { Prices } from "./Prices.js"

/** A model that sessions may name. */
export const OfferedModel = Schema.Struct({
  provider: ModelRef.fields.provider,
  model: ModelRef.fields.model,
  /** Whether sessions that name no model use it. */
  standard: Schema.Boolean,
  /** Null when they are not stated. */
  prices: Schema.NullOr(Prices)
}).annotations({ identifier: "OfferedModel" })
export type OfferedModel = Named<typeof OfferedModel.Type, { readonly prices: Prices | null }>

/** An agent that sessions may name. */
export const OfferedAgent = Schema.Struct({
  name: AgentName,
  /** What it is for, in a few words; null when not stated. */
  about: Schema.NullOr(Schema.String),
  /** Whether sessions that name no agent use it. */
  standard: Schema.Boolean,
  /** Empty when they cannot be listed. */
  models: Schema.Array(OfferedModel)
}).annotations({ identifier: "OfferedAgent" })
export type OfferedAgent = Named<typeof OfferedAgent.Type, { readonly models: ReadonlyArray<OfferedModel> }>

/** Returns the offer of a model where it is the only one. */
export const only = ({ model, provider }: { readonly provider: string; readonly model: string }): OfferedModel => ({
  provider,
  model,
  standard: true,
  prices: null
})

/** The prices of a model, if it is offered with any. */
export const pricesOf = (
  offered: ReadonlyArray<OfferedModel>,
  { model, provider }: { readonly provider: string; readonly model: string }
): Prices | null => offered.find((one) => one.provider === provider && one.model === model)?.prices ?? null
