/** The engine that commands run on, loaded when a command needs it: `--help` and wrong usage load none of it. */
import { Effect, Layer, type Scope } from "effect"
import { readdirSync } from "node:fs"
import * as Agents from "../../services/Agents.js"
import { StoredEnds } from "../../services/runtime/StoredEnds.js"
import * as Upgrading from "../../services/storage/Upgrading.js"
import type { Options as EngineOptions } from "../../services/EngineConfig.js"
import { codeOf } from "../ErrorCode.js"
import * as FolderCreation from "../node/FolderCreation.js"
import * as FolderPrivacy from "../node/FolderPrivacy.js"
import * as DataLayout from "../sqlite/DataLayout.js"
import * as Unusable from "../sqlite/Unusable.js"
import * as Failure from "./Failure.js"
import * as OpeningProgress from "./OpeningProgress.js"
import * as Place from "./Place.js"
import { cluster, postgres } from "./PostgresLoading.js"
import * as ReadingCopy from "./ReadingCopy.js"
import { Signals } from "./Signals.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Maintenance from "./texts/Maintenance.js"
import * as Run from "./texts/Run.js"
import * as Texts from "./texts/Sessions.js"

/**
 * A command works for one person: it waits for nothing when it is stopped, and resumes nothing by itself. A run that it
 * leaves behind goes on with `--resume`, and ends when another message comes.
 */
const shortLived = { drainMillis: 0, recoverMillis: null, continueWithinMillis: 0 }

/** The connections that one person needs. */
const connections = { lanes: 1, readers: 2 }

/** A server goes on with runs that were cut off recently. Older ones wait for a person. */
const longLived = { recovery: "continue", continueWithinMillis: 600_000, recoverMillis: 1_000 } as const

const placementsOf = ({ host }: Place.Place) => (host === null ? [] : [host])

/** Where the other engines of a database reach this one. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** What a command decides about its engine. */
export interface ShortLived {
  /** Whether it stores anything where nothing is stored yet. Defaults to true. */
  readonly creates?: boolean
  /** The data folder whose assets are read, if it is another one than that of the database. */
  readonly assetsOf?: string
}

interface Options extends EngineOptions, ShortLived {
  readonly address?: Address | null
  readonly lanes?: number
  readonly readers?: number
}

/** Whether nothing is stored in a data folder. One that cannot be read may have something. */
const isEmpty = (data: string): boolean => {
  try {
    return !readdirSync(data).includes(DataLayout.databaseName)
  } catch (thrown) {
    return codeOf(thrown) === "ENOENT"
  }
}

/**
 * Runs an effect that may create the database of a place, and takes back what it has created if it fails: a database in
 * which nothing was stored, and its folders.
 */
export const creating = <A, E, R>(place: Place.Place, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    if (place._tag !== "Folder" || !isEmpty(place.data)) return effect
    const folders = FolderCreation.missing(place.data)
    const takeBack = Effect.flatMap(
      Effect.promise(() => import("./FolderEngine.js")),
      ({ removeUnused }) => removeUnused(DataLayout.databaseIn(place.data), folders)
    )
    return Effect.onError(effect, () => takeBack)
  })

const open = (place: Place.Place, { address = null, assetsOf, creates = true, lanes, readers, ...options }: Options) =>
  Effect.gen(function* () {
    const all = { placements: placementsOf(place), ...options }
    if (place._tag === "Database") {
      const database = { url: place.url, schema: place.schema ?? undefined, lanes, readers }
      if (address !== null) return (yield* cluster).layer({ ...all, ...database, address })
      return (yield* postgres).layer({ ...all, ...database })
    }
    const { data } = place
    const folder = yield* Effect.promise(() => import("./FolderEngine.js"))
    if (!creates && isEmpty(data)) return folder.layerMemory(all)
    yield* Effect.try({ try: () => FolderPrivacy.ensure(data), catch: Unusable.fromUnknown(data) })
    return folder.layer({ ...all, data, ...(assetsOf === undefined ? {} : { assets: folder.assetsIn(assetsOf) }) })
  })

/** Until the engine is open, a signal ends the process immediately. */
const opened = (place: Place.Place, { endsOthers, ...options }: Options & { readonly endsOthers: boolean }) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const opening = yield* open(place, options)
      const { arm } = yield* Signals
      const { writeError } = yield* Screen
      const building = Effect.provideService(Layer.build(opening), Upgrading.Upgrading, {
        ...(yield* Upgrading.Upgrading),
        // A person is told soon that another process is in the way.
        patienceMillis: 2_000,
        endsOthers,
        copied: (path) => writeError(`skein: ${TerminalText.line(Maintenance.copiedFirst(path))}\n`)
      }).pipe(
        Effect.provideService(StoredEnds, {
          failing: (error) => writeError(`${Failure.line(error)}; ${Run.triedAgain}\n`)
        })
      )
      return Layer.tap(Layer.scopedContext(OpeningProgress.during(building)), () => arm)
    })
  )

/** An engine on the place with the sessions. Until it is open, a signal ends the process immediately. */
export const layer = (place: Place.Place, options: ShortLived = {}) =>
  opened(place, { ...shortLived, ...connections, ...options, endsOthers: false })

/** What a server decides about its engine. */
export interface LongLived {
  /** With an address, the engine is a runner of the database's cluster. */
  readonly address: Address | null
  /** How long runs have to end when it is closed. */
  readonly drainMillis: number
}

/** The same, for a server. */
export const layerLongLived = (place: Place.Place, options: LongLived) =>
  opened(place, { ...longLived, ...options, endsOthers: true })

const withoutRuns = (place: Place.Place, options: ShortLived) =>
  Layer.provide(layer(place, options), Agents.layerNone("this command runs none"))

const forStored = (place: Place.Place, options: ShortLived = {}) => withoutRuns(place, { ...options, creates: false })

/** An engine for making sessions that nothing runs on. */
export const layerWithoutRuns = (given: Place.Given) =>
  Layer.unwrapEffect(Effect.map(Place.of(given), (place) => withoutRuns(place, {})))

/** An engine for managing the sessions that are there. Where nothing is stored, it finds none and creates nothing. */
export const layerForStored = (given: Place.Given) =>
  Layer.unwrapEffect(Effect.map(Place.of(given), (place) => forStored(place)))

/**
 * An engine on a copy of the database, and on the assets where they are. The copy is not kept, so it is migrated without
 * a copy of its own.
 */
const layerOnCopy = <E>(folder: Place.Folder, copy: Effect.Effect<string, E, Scope.Scope>, reason: string) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      yield* (yield* Signals).arm
      const data = yield* copy
      yield* (yield* Screen).writeError(`skein: ${TerminalText.line(reason)}\n`)
      return Layer.provide(
        forStored({ ...folder, data }, { assetsOf: folder.data }),
        Layer.succeed(Upgrading.Upgrading, { ...Upgrading.usual, keepsCopy: false })
      )
    })
  )

/** The same for commands that only read: where the database cannot be opened as it is, it works on a copy. */
export const layerForReading = (given: Place.Given) =>
  Layer.unwrapEffect(
    Effect.map(Place.of(given), (place) =>
      Layer.catchAll(forStored(place), (error) => {
        if (place._tag !== "Folder" || error._tag === "InvalidInput") return Layer.fail(error)
        if (error._tag === "StorageUnusable" && error.reason === "in-use") {
          return layerOnCopy(place, ReadingCopy.ofOpen(place.data, error), Texts.readingOlder(error.detail))
        }
        return ReadingCopy.isWorthwhile(error)
          ? layerOnCopy(place, ReadingCopy.make(place.data, error), Texts.readingCopy)
          : Layer.fail(error)
      })
    )
  )
