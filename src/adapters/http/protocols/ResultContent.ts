/** A call's result for front ends: a value, and what their users are shown with it. Pure. */
import { Either } from "effect"
import type { AssetId } from "../../../domain/Asset.js"
import * as BoundedJson from "../../../domain/BoundedJson.js"
import { filesOf, isDiff, type JsonPart, type ResultMessage } from "../../../domain/Message.js"

/** The address of a session's file. */
export type UrlOf = (assetId: AssetId) => string

const isJson = (part: { readonly type: string }): part is JsonPart => part.type === "json"

/** The value that a tool returned for programs, otherwise its text. */
export const valueOf = ({ parts = [], text }: ResultMessage): unknown => parts.find(isJson)?.value ?? text

/** How a call ended, and its files and diffs if it has any. */
export const aboutOf = (message: ResultMessage, urlOf: UrlOf) => {
  const files = filesOf(message).map(({ assetId, mediaType, name }) => ({ url: urlOf(assetId), mediaType, name }))
  const diffs = (message.parts ?? []).filter(isDiff)
  return {
    outcome: message.outcome,
    ...(files.length === 0 ? {} : { files }),
    ...(diffs.length === 0 ? {} : { diffs })
  }
}

/** A call's input: its text parsed as JSON, or the text itself if it is not JSON or too much of it. */
export const inputOf = (input: string): unknown => Either.getOrElse(BoundedJson.parse(input), () => input)
