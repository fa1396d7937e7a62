/**
 * Databases for tests on the server that the tests of a run share. Each is empty or a copy, and is removed with its
 * scope.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import * as Client from "./Client.js"

export interface Shared {
  /** The URL for a user who may create databases. */
  readonly url: string
  /** The prefix of the names of all databases of this run. */
  readonly prefix: string
}

/** The same server and user, but another database. */
const at = (url: string, name: string): string => {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other.href
}

let made = 0

const create = ({ prefix, url }: Shared, template: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const name = `${prefix}_${process.pid}_${made++}`
      return Effect.as(
        Client.once(url, `CREATE DATABASE ${name} TEMPLATE ${template} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`),
        name
      )
    }),
    (name) => Client.once(url, `DROP DATABASE ${name} WITH (FORCE)`)
  ).pipe(Effect.map((name) => at(url, name)))

/** The URL of a new, empty database. */
export const empty = (shared: Shared): Effect.Effect<string, never, Scope.Scope> => create(shared, "template0")

/**
 * The URL of a copy of the database that `prepare` fills: once per run for all callers with the same name. `prepare`
 * must leave no connection open.
 */
export const copy = (
  shared: Shared,
  name: string,
  prepare: (url: string) => Effect.Effect<void>
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { prefix, url } = shared
    const template = `${prefix}_${name}`
    const prepared = Effect.gen(function* () {
      const client = yield* Client.connect(url)
      // One of the workers prepares the database; the lock ends with the connection.
      yield* Client.ask(client, "SELECT pg_advisory_lock(hashtext($1))", [template])
      if ((yield* Client.ask(client, "SELECT 1 FROM pg_database WHERE datname = $1", [template])).length > 0) return
      const filling = `${template}_filling`
      yield* Client.ask(client, `DROP DATABASE IF EXISTS ${filling} WITH (FORCE)`)
      yield* Client.ask(
        client,
        `CREATE DATABASE ${filling} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`
      )
      yield* prepare(at(url, filling))
      yield* Client.ask(client, `ALTER DATABASE ${filling} RENAME TO ${template}`)
    })
    yield* Effect.orDie(Effect.scoped(prepared))
    return yield* create(shared, template)
  })

/** Removes what is left of a run. */
export const removeAll = ({ prefix, url }: Shared): Effect.Effect<void> =>
  Effect.gen(function* () {
    const client = yield* Client.connect(url)
    const left = yield* Client.ask<{ readonly datname: string }>(
      client,
      "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
      [`${prefix}_`]
    )
    for (const { datname } of left) yield* Client.ask(client, `DROP DATABASE ${datname} WITH (FORCE)`)
  }).pipe(Effect.scoped, Effect.orDie)
