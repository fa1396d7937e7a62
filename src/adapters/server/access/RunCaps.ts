/**
 * Limits how many runs of a token may go on or wait, counting those that were begun with it through this server. No
 * operation of the Gateway fails with that error, so a refusal is a defect, which the routes answer as that error.
 */
import { Effect, type Scope } from "effect"
import type { Ref, RunId } from "../../../domain/Run.js"
import type { Service } from "../../../services/gateway/Gateway.js"
import { TooMany } from "../../http/RequestErrors.js"
import { Admitted } from "./Admitted.js"

interface Counted {
  readonly runs: Set<RunId>
  /** Runs that were asked for and have no known id yet. */
  beginning: number
}

/** Returns the same gateway, which begins no more runs for a token than it may have. Counting ends with the scope. */
export const bound = (gateway: Service): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const counted = new Map<string, Counted>()

    const begin = <E>(run: Effect.Effect<Ref, E>): Effect.Effect<Ref, E> =>
      Effect.flatMap(Admitted, (token) => {
        const limit = token?.maxRuns ?? null
        if (token === null || limit === null) return run
        const of = counted.get(token.hash) ?? { runs: new Set(), beginning: 0 }
        counted.set(token.hash, of)
        if (of.runs.size + of.beginning >= limit) {
          return Effect.die(new TooMany({ field: "runs", limit: `at most ${limit} running or waiting` }))
        }
        of.beginning += 1
        return run.pipe(
          Effect.tap((ref) => {
            if (of.runs.has(ref.runId)) return Effect.void
            of.runs.add(ref.runId)
            const end = Effect.sync(() => of.runs.delete(ref.runId))
            return Effect.forkIn(Effect.ensuring(Effect.ignore(gateway.await(ref)), end), scope)
          }),
          Effect.ensuring(Effect.sync(() => (of.beginning -= 1)))
        )
      })

    return {
      ...gateway,
      send: (input) => begin(gateway.send(input)),
      resume: (sessionId, of) => begin(gateway.resume(sessionId, of))
    }
  })
