/**
 * `skein serve`: a long-lived engine, and a server in front of it. Whatever can be refused is refused before either
 * exists.
 *
 * The first signal stops it in good order: new runs are refused while running ones have time to end; then event streams
 * are ended, and the file by which clients find the server is removed. The second signal ends it immediately.
 *
 * When a newer version has migrated the sessions, the server ends with an error: one of that version has to take its place.
 */
import * as Path from "@effect/platform/Path"
import { Cache, Deferred, Effect, Layer } from "effect"
import { realpathSync } from "node:fs"
import { AgentName } from "../../domain/AgentName.js"
import type { ModelRef } from "../../domain/ModelRef.js"
import { InvalidInput, type StorageUnusable } from "../../domain/SkeinError.js"
import { Leaving } from "../../services/runtime/Leaving.js"
import * as DataFolder from "../node/DataFolder.js"
import * as Identity from "../node/Identity.js"
import * as PageLink from "../server/access/PageLink.js"
import * as TokenText from "../server/access/TokenText.js"
import * as Discovery from "../server/Discovery.js"
import * as Server from "../server/Server.js"
import * as AgentChoice from "./AgentChoice.js"
import * as Browser from "./Browser.js"
import * as Configuration from "./Configuration.js"
import * as Instructions from "./Instructions.js"
import * as ModelChoice from "./ModelChoice.js"
import * as Place from "./Place.js"
import * as RunEngine from "./RunEngine.js"
import * as ServeSettings from "./ServeSettings.js"
import * as ServerFolder from "./ServerFolder.js"
import * as SessionFolder from "./SessionFolder.js"
import { Signals } from "./Signals.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Serve.js"
import { Version } from "./Version.js"

export interface Input extends ServeSettings.Given {
  readonly open: boolean
  readonly root: string | null
  readonly model: string | null
  readonly json: boolean
  readonly place: Place.Given
}

/** How long the ends of the last runs have to reach those who watch before their streams are ended. */
const lastWords = "500 millis"

const rootOf = ({ root }: Input) =>
  SessionFolder.existing(root ?? ".").pipe(
    Effect.map((folder) => realpathSync(folder)),
    Effect.mapError(({ actual, limit }) => new InvalidInput({ field: "--root", limit, actual }))
  )

/** Tells the engine to drain when the server leaves, and waits until it has. */
const makeLeaving = Effect.gen(function* () {
  const wanted = yield* Deferred.make<void>()
  const drained = yield* Deferred.make<void>()
  const outdated = yield* Deferred.make<never, StorageUnusable>()
  return {
    layer: Layer.succeed(Leaving, {
      wanted: Deferred.await(wanted),
      drained: Effect.asVoid(Deferred.succeed(drained, undefined)),
      outdated: (refusal) => Effect.asVoid(Deferred.fail(outdated, refusal))
    }),
    /** Fails once the engine is outdated. */
    outdated: Deferred.await(outdated),
    isWanted: Deferred.isDone(wanted),
    leave: Effect.zipRight(Deferred.succeed(wanted, undefined), Deferred.await(drained))
  }
})

/** Instructions are read only now and then for each folder: a prompt that changes costs the provider's cache. */
const makeInstructions = Cache.make({ capacity: 100, timeToLive: "10 minutes", lookup: Instructions.read })

interface Served {
  readonly folder: ServerFolder.ServerFolder
  readonly host: string
  /** The page's URL behind a proxy; null without one. */
  readonly proxied: string | null
  readonly root: string
  readonly standard: ModelRef
}

/** Publishes the server, says where it listens, and returns when the first signal comes. */
const untilSignal = Effect.fnUntraced(
  function* (
    { json, open }: Input,
    { socket, url }: Server.Server["Type"],
    { folder, host, proxied, root, standard }: Served
  ) {
    const screen = yield* Screen
    const signal = yield* (yield* Signals).take
    const model = `${standard.provider}/${standard.model}`
    const page = proxied ?? url
    yield* Discovery.publish(folder.running, { version: yield* Version, url, socket, page, root, model })
    if (url !== null && !ServeSettings.isLoopback(host))
      yield* screen.writeError(`skein: ${Texts.opens(TerminalText.line(host))}\n`)
    yield* screen.write(
      json
        ? `${TerminalText.json(JSON.stringify({ url, socket, pid: process.pid }))}\n`
        : `skein: ${TerminalText.line(Texts.listening(url, socket))}\n`
    )
    if (open && url !== null) {
      const link = PageLink.of(url, yield* PageLink.code(folder.path, TokenText.local, "1 minute"))
      if (!(yield* Browser.open(link))) yield* screen.writeError(`skein: ${Texts.signIn(link)}\n`)
    }
    yield* signal
  },
  Effect.provide(Layer.fresh(Identity.layer))
)

export const run = Effect.fn("ServeCommand.run")(function* (input: Input) {
  const screen = yield* Screen
  const reached = yield* ServeSettings.reached(input)
  const place = yield* Place.of(input.place)
  const address = yield* ServeSettings.address(input, place)
  const root = yield* rootOf(input)
  const socket = input.socket === null ? null : (yield* Path.Path).resolve(input.socket)
  const drainMillis = yield* ServeSettings.drainMillis(input)
  const configuration = yield* Effect.flatMap(DataFolder.host, Configuration.load)
  const model = input.model === null ? null : yield* ModelChoice.named("--model", input.model)
  if (model !== null) yield* ModelChoice.check(configuration, { ...ModelChoice.draft(root), model })
  const standard = yield* Configuration.modelFor(configuration, model)
  const folder = yield* ServerFolder.of(input.place, place)
  const leaving = yield* makeLeaving
  const instructions = yield* makeInstructions
  const engine = RunEngine.layerLongLived(
    { ...configuration, standard },
    place,
    { system: null, instructions: (workdir) => instructions.get(workdir) },
    { address, drainMillis }
  )
  const newSession = {
    ...Place.ofNewSession(place),
    ...(place._tag === "Database" ? { agent: AgentName.make(AgentChoice.names[0]) } : {})
  }
  const served = Server.layer(
    { ...reached, socket, folder: folder.path, root, newSession, isStopping: leaving.isWanted },
    Layer.provide(engine, leaving.layer)
  )
  yield* Effect.scoped(
    Effect.gen(function* () {
      const server = yield* Effect.provide(Server.Server, yield* Layer.build(served))
      const serving = untilSignal(input, server, {
        folder,
        host: reached.host,
        proxied: ServeSettings.proxied(reached),
        root,
        standard
      })
      yield* Effect.raceFirst(Effect.scoped(serving), leaving.outdated)
      yield* screen.writeError(`skein: ${Texts.stopping(drainMillis / 1000)}\n`)
      yield* leaving.leave
      yield* Effect.sleep(lastWords)
    })
  )
})
