/** Loads what works on a PostgreSQL database, in one piece: a command that is told of none loads nothing of it. */
import { Effect } from "effect"

/** The driver warns that its next version will not read ~/.pgpass. The one that is bundled here does. */
const withoutWarning = <A>(load: () => Promise<A>): Effect.Effect<A> =>
  Effect.promise(() => {
    process.noDeprecation = true
    return load()
  })

export const postgres = withoutWarning(() => import("./Postgres.js"))

/** The same, for a runner of a cluster. */
export const cluster = withoutWarning(() => import("../cluster/SkeinCluster.js"))
