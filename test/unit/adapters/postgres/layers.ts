/** Storage in PostgreSQL, as it is composed for an engine. */
import { Layer } from "effect"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as PostgresStorage from "../../../../src/adapters/postgres/PostgresStorage.js"

/** One engine's storage, with signals, including those for other engines' changes. */
export const storageIn = (options: PostgresStorage.Options) =>
  PostgresStorage.layer({ isOwnTime: true, ...options }).pipe(Layer.provide(Identity.layerIds), Layer.fresh)
