/**
 * Where a command finds the sessions: in a data folder, or in a PostgreSQL database that several hosts may share. The
 * command line takes precedence over the environment.
 *
 * The URL of a database may contain a password. It is redacted, and a database is shown by its host and name.
 */
import { Effect, Redacted, Schema } from "effect"
import { hostname } from "node:os"
import { isServed, Placement } from "../../domain/Placement.js"
import type { Session } from "../../domain/Session.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as DataFolder from "../node/DataFolder.js"
import * as DatabaseUrl from "../postgres/DatabaseUrl.js"
import type { Values } from "./CommandLine.js"
import { WrongUsage } from "./Failure.js"
import * as ShellText from "./ShellText.js"
import * as Texts from "./texts/Places.js"

/** The options that name a place. */
export type Given = Pick<Values<"data" | "database">, "value">

interface Common {
  /** For people. */
  readonly name: string
  /** What another command line needs to mean the same place: "", or a blank and options. */
  readonly options: string
  /** What this host is called in sessions that can only go on where their folder is; null when it has no usable name. */
  readonly host: Placement | null
}

export interface Folder extends Common {
  readonly _tag: "Folder"
  /** Its path. */
  readonly data: string
}

interface Database extends Common {
  readonly _tag: "Database"
  readonly url: Redacted.Redacted
  /** The schema with Skein's tables; null for the usual one. */
  readonly schema: string | null
}

export type Place = Folder | Database

const hostOf = ({ env }: DataFolder.Host): Effect.Effect<Placement | null, InvalidInput> => {
  const named = env["SKEIN_PLACEMENT"]
  if (!named) return Effect.succeed(Schema.is(Placement)(hostname()) ? hostname() : null)
  if (Schema.is(Placement)(named)) return Effect.succeed(named)
  return Effect.fail(new InvalidInput({ field: "SKEIN_PLACEMENT", limit: Texts.placementForm, actual: Texts.another }))
}

const named = (host: DataFolder.Host, given: Given): { readonly url: string; readonly field: string } | null => {
  const url = given.value("database")
  if (url !== null) return { url, field: "--database" }
  const variable = given.value("data") === null ? host.env["SKEIN_DATABASE"] : undefined
  return variable ? { url: variable, field: "SKEIN_DATABASE" } : null
}

/** The place that a command line means. */
export const of = Effect.fn("Place.of")(function* (given: Given) {
  const folder = given.value("data")
  if (folder !== null && given.value("database") !== null) return yield* new WrongUsage({ detail: Texts.onePlace })
  const around = yield* DataFolder.host
  const host = yield* hostOf(around)
  const database = named(around, given)
  if (database === null) {
    const data = yield* DataFolder.data(around, folder ?? undefined)
    const options = folder === null ? "" : ` --data ${ShellText.word(folder)}`
    return { _tag: "Folder", name: data, data, options, host } satisfies Place
  }
  const fault = DatabaseUrl.fault(database.url)
  if (fault !== null) return yield* new WrongUsage({ detail: Texts.databaseUrl(database.field, fault) })
  const { schema, url } = DatabaseUrl.parts(database.url)
  const shown = DatabaseUrl.isPublic(database.url) ? ShellText.word(database.url) : "URL"
  return {
    _tag: "Database",
    url: Redacted.make(url),
    schema,
    name: DatabaseUrl.where(url),
    options: database.field === "--database" ? ` --database ${shown}` : "",
    host
  } satisfies Place
})

/** What a session is created with besides its folder: in a database that hosts share, that it can go on only here. */
export const ofNewSession = ({ _tag, host }: Place): { readonly placement?: Placement } =>
  _tag === "Database" && host !== null ? { placement: host } : {}

/** Fails for a session that can go on only elsewhere. */
export const check = ({ host }: Place, { id, placement }: Session): Effect.Effect<void, WrongUsage> =>
  placement === null || isServed(placement, host === null ? [] : [host])
    ? Effect.void
    : Effect.fail(new WrongUsage({ detail: Texts.elsewhere(id, placement) }))

/** The data folder, for commands that work on files. Fails with `refusal` when the place is a database. */
export const folder = (given: Given, refusal: string) =>
  Effect.flatMap(of(given), (place) =>
    place._tag === "Folder" ? Effect.succeed(place.data) : new WrongUsage({ detail: refusal })
  )
