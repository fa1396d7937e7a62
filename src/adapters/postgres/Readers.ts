/**
 * Connections for reading. A statement goes immediately to the connection with the fewest statements in progress. A
 * lost connection is opened again by the next statement that needs it, and the statements lost with it are sent again:
 * reads change nothing. When the server is away for longer than a write would wait for a lock, reads fail.
 */
import { Clock, Effect, Schedule } from "effect"
import type { Scope } from "effect"
import type { StorageUnusable } from "../../domain/SkeinError.js"
import { StorageFailed } from "../../domain/SkeinError.js"
import * as OneByOne from "../../services/OneByOne.js"
import { type Parameter, SqlFailure } from "../../services/storage/sql/Database.js"
import * as Connection from "./Connection.js"

export interface Readers {
  /**
   * Runs a statement with $1, $2 and so on. Fails with the server's error; when the server stays away, with
   * `StorageFailed` or a `spoilt` failure.
   */
  readonly query: (
    text: string,
    parameters: ReadonlyArray<Parameter>,
    asArrays?: boolean
  ) => Effect.Effect<Connection.Answer, SqlFailure | StorageFailed | StorageUnusable>
}

export interface Options extends Connection.Options {
  /** How many connections there may be. */
  readonly count: number
  /** How long to keep trying to reach the server, in milliseconds. */
  readonly busyMaxMillis: number
}

/** Between two tries to connect: 10 ms, then longer, up to a quarter of a second. */
const delays = Schedule.exponential("10 millis").pipe(Schedule.union(Schedule.spaced("250 millis")), Schedule.jittered)

/** The same for at most `millis` milliseconds, whatever happens to the wall clock. */
export const patience = (millis: number) =>
  Effect.map(Clock.currentTimeNanos, (began) =>
    delays.pipe(
      Schedule.whileInputEffect(() =>
        Effect.map(Clock.currentTimeNanos, (now) => Number((now - began) / 1_000_000n) < millis)
      )
    )
  )

/**
 * Whether the same read may do better later: there is no connection, or it was in the way of somebody who changes tables
 * and was ended to resolve a deadlock.
 */
const isPassing = (error: SqlFailure | StorageFailed | StorageUnusable): boolean =>
  error._tag === "StorageFailed" || (error._tag === "SqlFailure" && (error.kind === "spoilt" || error.kind === "busy"))

interface Place {
  connection: Connection.Connection | null
  /** Lets one fiber at a time open the connection. */
  readonly opening: OneByOne.OneByOne
  asked: number
}

const closed = new SqlFailure({ code: "CLOSED", kind: "other" })

export const make = (options: Options): Effect.Effect<Readers, never, Scope.Scope> =>
  Effect.gen(function* () {
    let isClosed = false
    const places = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Array.from({ length: options.count }, (): Place => ({
          connection: null,
          opening: OneByOne.make(),
          asked: 0
        }))
      ),
      (places) => {
        isClosed = true
        return Effect.forEach(places, ({ connection }) => Effect.promise(async () => await connection?.close()), {
          concurrency: "unbounded",
          discard: true
        })
      }
    )
    const open = (place: Place) =>
      place.opening(
        Effect.suspend((): Effect.Effect<Connection.Connection, SqlFailure | StorageFailed | StorageUnusable> => {
          if (isClosed) return closed
          return place.connection?.isOpen() === true
            ? Effect.succeed(place.connection)
            : Effect.uninterruptibleMask((restore) =>
                Effect.flatMap(restore(Connection.open(options)), (connection) => {
                  // It may have been opened while the readers were closed.
                  if (isClosed) return Effect.zipRight(Effect.promise(connection.close), closed)
                  place.connection = connection
                  return Effect.succeed(connection)
                })
              )
        })
      )
    const least = () => places.reduce((one, other) => (other.asked < one.asked ? other : one))

    const once = (text: string, parameters: ReadonlyArray<Parameter>, asArrays: boolean) =>
      Effect.suspend(() => {
        const place = least()
        place.asked += 1
        return open(place).pipe(
          Effect.flatMap((connection) => Connection.ask(connection, text, parameters, asArrays)),
          Effect.ensuring(
            Effect.sync(() => {
              place.asked -= 1
            })
          )
        )
      })
    return {
      query: (text, parameters, asArrays = false) => {
        const read = once(text, parameters, asArrays)
        return Effect.catchIf(read, isPassing, () =>
          Effect.flatMap(patience(options.busyMaxMillis), (schedule) =>
            Effect.retry(read, { while: isPassing, schedule })
          )
        )
      }
    }
  })
