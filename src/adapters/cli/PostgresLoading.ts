/** Loads what works on a PostgreSQL database, in one piece: a command without a database loads none of it. */
import { Effect } from "effect"

/** The driver warns that its next version will not read ~/.pgpass. The version that is bundled here does. */
const withoutWarning = <A>(load: () => Promise<A>): Effect.Effect<A> =>
  Effect.promise(() => {
    process.noDeprecation = true
    return load()
  })

export const postgres = withoutWarning(() => import("./Postgres.js"))

/** The same, for a runner of a cluster. */
export const cluster = withoutWarning(() => import("../cluster/SkeinCluster.js"))
