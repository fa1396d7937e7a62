/**
 * The model port: one step, streamed; no hidden tool loop. An agent's `Models` chooses the model of a session and is
 * asked at each step, so that a host can pick models and keys by owner and a switch takes effect at the next step.
 */
import { Effect } from "effect"
import type { Stream } from "effect"
import type { AssetId } from "../domain/Asset.js"
import type { JsonRecord } from "../domain/Json.js"
import type { Options } from "../domain/ModelRef.js"
import { OfferedModel, only } from "../domain/Offer.js"
import { Prices } from "../domain/Prices.js"
import type { Session } from "../domain/Session.js"
import type { AssetFailed, AssetNotFound, ModelFailed, ModelUnavailable, Read } from "../domain/SkeinError.js"
import type { Part } from "../domain/StepDraft.js"
import type { View, ViewCall, ViewFile, ViewItem, ViewReasoning, ViewResult, ViewText } from "../domain/View.js"

/** A tool as the model sees it. */
export interface ToolDefinition {
  readonly name: string
  readonly description: string
  /** JSON Schema of an object. */
  readonly inputSchema: Readonly<Record<string, unknown>>
}

/** What a model is asked in one step. */
export interface StepRequest {
  /** The system prompt; null for none. */
  readonly system: string | null
  readonly view: View
  readonly tools: ReadonlyArray<ToolDefinition>
  readonly options: Options
  /** The JSON Schema of the final answer; null for a text, and for a model that does not take a schema. */
  readonly output: JsonRecord | null
  /** The content of a file part of the view, or only its first `most` bytes. */
  readonly file: (assetId: AssetId, most?: number) => Effect.Effect<Uint8Array, AssetNotFound | AssetFailed | Read>
}

export { OfferedModel, Prices }
export type { Part, View, ViewCall, ViewFile, ViewItem, ViewReasoning, ViewResult, ViewText }

/** A model, as the engine asks it. */
export interface Model {
  /** The vendor. Reasoning and metadata are sent back only to the vendor that they came from. */
  readonly provider: string
  readonly model: string
  /** Tokens that fit into one request; null when unknown. */
  readonly contextTokens: number | null
  /**
   * The most tokens that one step may write with these options, reasoning included: the view leaves room for them.
   * Defaults to the options' `maxOutputTokens`, else to 8,192. Never more than half of `contextTokens` is used.
   */
  readonly outputTokens?: (options: Options) => number
  /** Whether tool results may show files. If not, the files are only named. Defaults to false. */
  readonly takesFilesInResults?: boolean
  /**
   * Whether the provider makes the model's answers follow this JSON Schema. If not, the system prompt asks for it.
   * Defaults to never.
   */
  readonly takesOutput?: (schema: JsonRecord) => boolean
  /** Whether a turn that the provider refused may be sent to it again. Defaults to true. */
  readonly takesRefusedTurns?: boolean
  /** One step. Interrupting the stream aborts its request. A stream that ends without a `finish` fails as `cut`. */
  readonly step: (request: StepRequest) => Stream.Stream<Part, ModelFailed>
}

/** The models that an agent may use. */
export interface Models {
  /** The model to use for the session's next step. */
  readonly resolve: (session: Session) => Effect.Effect<Model, ModelUnavailable>
  /** Models for people to choose from, with their prices. Others may be served too. Defaults to none. */
  readonly offered?: ReadonlyArray<OfferedModel>
}

/** One model for every session, whatever model it names. */
export const always = (model: Model): Effect.Effect<Models> =>
  Effect.succeed({ resolve: () => Effect.succeed(model), offered: [only(model)] })

/** Asks `resolve` at each step. Its requirements become those of the agent. */
export const resolve = <R>(
  resolve: (session: Session) => Effect.Effect<Model, ModelUnavailable, R>
): Effect.Effect<Models, never, R> =>
  Effect.map(Effect.context<R>(), (context) => ({
    resolve: (session) => Effect.provide(resolve(session), context)
  }))
