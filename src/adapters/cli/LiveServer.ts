/**
 * A server that works on a place, for commands that go through it, so that terminal and page see one live state.
 * Without a server's file, nothing more is loaded.
 */
import { Deferred, Effect, Ref, Stream } from "effect"
import type { Service } from "../../services/gateway/Gateway.js"
import * as PrivateFile from "../node/PrivateFile.js"
import * as Place from "./Place.js"
import * as ServerFolder from "./ServerFolder.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Serve.js"
import { Version } from "./Version.js"

/** What decides whether a command may go through a server. */
export interface Offer {
  /** `PROVIDER/MODEL`, of sessions that name none. */
  readonly model: string
  /** Whether new sessions may work in a folder. */
  readonly holds: (workdir: string) => boolean
}

export interface LiveServer extends Offer {
  readonly gateway: Service
}

/** What a command needs that a server might do for it. */
export interface Wish {
  /** The folder of a new session; null for an old one. */
  readonly newWorkdir: string | null
  /** `PROVIDER/MODEL` that the environment names for sessions without one; null for none. */
  readonly model: string | null
}

/** What any server does. */
export const anything: Wish = { newWorkdir: null, model: null }

/**
 * Whether a server does what the command would do by itself. It does not when another model or folder is meant.
 *
 * @internal
 */
export const serves = ({ holds, model }: Offer, wish: Wish): boolean =>
  (wish.newWorkdir === null || holds(wish.newWorkdir)) && (wish.model === null || wish.model === model)

const reach = Effect.fnUntraced(function* (
  given: Place.Given,
  place: Place.Place,
  wish: Wish,
  onLost: Effect.Effect<void>
) {
  const folder = yield* ServerFolder.of(given, place)
  const isNone = yield* Effect.orElseSucceed(
    Effect.try(() => PrivateFile.names(folder.running).length === 0),
    () => true
  )
  if (isNone) return null
  const { connect } = yield* Effect.promise(() => import("./commands/server.js"))
  return yield* connect(folder, yield* Version, (offer) => serves(offer, wish), onLost)
})

/** The newest server that serves the wish and answers; null for none. When it is lost, the terminal says so, once. */
export const find = Effect.fn("LiveServer.find")(function* (given: Place.Given, place: Place.Place, wish: Wish) {
  const screen = yield* Screen
  const followed = yield* Ref.make("ID")
  const onLost = yield* Effect.once(
    Effect.flatMap(Ref.get(followed), (sessionId) =>
      screen.writeError(`skein: ${Texts.serverGone(sessionId, place.options)}\n`)
    )
  )
  const server = yield* reach(given, place, wish, onLost)
  if (server === null) return null
  const events: Service["events"] = (range) =>
    Stream.unwrap(Effect.as(Ref.set(followed, range.sessionId), server.gateway.events(range)))
  return { ...server, gateway: { ...server.gateway, events } } satisfies LiveServer
})

/** The same for who can do without a server: `gone` returns when it is lost and no other is there to go on with. */
export const findUntilGone = Effect.fn("LiveServer.findUntilGone")(function* (
  given: Place.Given,
  place: Place.Place,
  wish: Wish
) {
  const gone = yield* Deferred.make<void>()
  const context = yield* Effect.context<Effect.Effect.Context<ReturnType<typeof reach>>>()
  const isNone = reach(given, place, wish, Effect.void).pipe(
    Effect.map((server) => server === null),
    Effect.orElseSucceed(() => true),
    Effect.provide(context)
  )
  const server = yield* reach(given, place, wish, Effect.whenEffect(Deferred.succeed(gone, undefined), isNone))
  return server === null ? null : { gateway: server.gateway, gone: Deferred.await(gone) }
})
