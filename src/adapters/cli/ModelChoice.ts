/** The model that a person chooses for a session, checked before anything changes. */
import * as Path from "@effect/platform/Path"
import { Effect } from "effect"
import { Cursor, type Session, SessionId } from "../../domain/Session.js"
import * as Title from "../../domain/Title.js"
import * as Usage from "../../domain/Usage.js"
import * as Providers from "../providers/Providers.js"
import * as ModelName from "./ModelName.js"
import * as Configuration from "./Configuration.js"

/**
 * The model that a person names. `field` names the input in errors. A script's file is relative to the current folder,
 * whatever the session's folder is.
 */
export const named = Effect.fn("ModelChoice.named")(function* (field: string, text: string) {
  const path = yield* Path.Path
  const ref = yield* ModelName.parse(field, text)
  return ref.provider === "script" ? { ...ref, model: path.resolve(ref.model) } : ref
})

/** A session that does not exist yet. */
export const draft = (workdir: string): Session => ({
  id: SessionId.make("new"),
  title: Title.untitled,
  named: false,
  owner: null,
  workdir,
  placement: null,
  parent: null,
  agent: null,
  model: null,
  metadata: {},
  usage: Usage.zero,
  head: 0,
  cursor: Cursor.make(0),
  createdAt: 0,
  updatedAt: 0
})

/** Fails unless the session's model, or the default one, is available. */
export const check = Effect.fn("ModelChoice.check")(function* (
  configuration: Configuration.Configuration,
  session: Session
) {
  const model = yield* Configuration.modelFor(configuration, session.model)
  yield* (yield* Providers.models(configuration.providers)).resolve({ ...session, model })
})
