/**
 * What a host offers for its sessions: agents, and the models of each. It is what people choose from, no limit: a session
 * may name a model that nobody listed, and whether there is one is found at its next step.
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
  /** Whether it is the one of sessions that name none. */
  standard: Schema.Boolean,
  /** Null when nobody stated them. */
  prices: Schema.NullOr(Prices)
}).annotations({ identifier: "OfferedModel" })
export type OfferedModel = Named<typeof OfferedModel.Type, { readonly prices: Prices | null }>

/** An agent that sessions may name. */
export const OfferedAgent = Schema.Struct({
  name: AgentName,
  /** What it is for, in a few words; null when nobody says. */
  about: Schema.NullOr(Schema.String),
  /** Whether it is the one of sessions that name none. */
  standard: Schema.Boolean,
  /** Empty when nobody can list them. */
  models: Schema.Array(OfferedModel)
}).annotations({ identifier: "OfferedAgent" })
export type OfferedAgent = Named<typeof OfferedAgent.Type, { readonly models: ReadonlyArray<OfferedModel> }>

/** The one model of those who serve no other. */
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
