/**
 * `GET /me`: which token a request is from, for clients that want to know who they are. Its `id` tells two tokens of one name
 * apart, and is worth nothing to anybody who has it.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { MethodNotAllowed, Unauthorized } from "../http/RequestErrors.js"
import { Admitted } from "./access/Admitted.js"
import * as Refusals from "./access/Refusals.js"
import * as TokenText from "./access/TokenText.js"

export const app: HttpApp.Default = Effect.gen(function* () {
  const { method } = yield* HttpServerRequest
  if (method !== "GET" && method !== "HEAD") return Refusals.answer(new MethodNotAllowed({ allow: ["GET", "HEAD"] }))
  const token = yield* Admitted
  if (token === null) return Refusals.answer(new Unauthorized())
  const { hash, name, owner, scope } = token
  // Of the hash that is kept, not even that is told.
  return HttpServerResponse.unsafeJson({ id: TokenText.hashOf(`me ${hash}`).slice(0, 32), name, owner, scope })
})
