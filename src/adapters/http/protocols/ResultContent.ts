/** What a call's result is for front ends: a value, and what their people are shown beside it. Pure. */
import { Option, Schema } from "effect"
import type { AssetId } from "../../../domain/Asset.js"
import { filesOf, isDiff, type JsonPart, type ResultMessage } from "../../../domain/Message.js"

/** The address of a session's file. */
export type UrlOf = (assetId: AssetId) => string

const isJson = (part: { readonly type: string }): part is JsonPart => part.type === "json"

/** The value that a tool gave for programs, else its text. */
export const valueOf = ({ parts = [], text }: ResultMessage): unknown => parts.find(isJson)?.value ?? text

/** How a call ended, its files and what it changed, as fields that are there or not. */
export const aboutOf = (message: ResultMessage, urlOf: UrlOf) => {
  const files = filesOf(message).map(({ assetId, mediaType, name }) => ({ url: urlOf(assetId), mediaType, name }))
  const diffs = (message.parts ?? []).filter(isDiff)
  return {
    outcome: message.outcome,
    ...(files.length === 0 ? {} : { files }),
    ...(diffs.length === 0 ? {} : { diffs })
  }
}

const parse = Schema.decodeOption(Schema.parseJson())

/** What a call asks for: the value that its text is, or the text where it is no JSON. */
export const inputOf = (input: string): unknown => Option.getOrElse(parse(input), () => input)
