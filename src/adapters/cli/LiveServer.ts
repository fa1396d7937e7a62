/**
 * The server that works on a place, for commands that go through it, so that terminal and page see one live state.
 * Without a server's file, nothing more is loaded.
 */
import { Effect, Ref, Stream } from "effect"
import { existsSync } from "node:fs"
import type { Service } from "../../services/gateway/Gateway.js"
import * as Place from "./Place.js"
import * as ServerFolder from "./ServerFolder.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Serve.js"
import { Version } from "./Version.js"

export interface LiveServer {
  readonly gateway: Service
  /** `PROVIDER/MODEL`, of sessions that name none. */
  readonly model: string
  /** Whether new sessions may work in a folder. */
  readonly holds: (workdir: string) => boolean
}

/** What a command needs that a server might do for it. */
export interface Wish {
  /** The folder of a new session; null for an old one. */
  readonly newWorkdir: string | null
  /** `PROVIDER/MODEL` that the environment names for sessions without one; null for none. */
  readonly model: string | null
}

/** Whether a server does what the command would do by itself. It does not when another model or folder is meant. */
export const serves = ({ holds, model }: LiveServer, wish: Wish): boolean =>
  (wish.newWorkdir === null || holds(wish.newWorkdir)) && (wish.model === null || wish.model === model)

/** Null when no server answers. */
export const find = Effect.fn("LiveServer.find")(function* (given: Place.Given, place: Place.Place) {
  const folder = yield* ServerFolder.of(given, place)
  if (!existsSync(folder.found)) return null
  const screen = yield* Screen
  const { connect } = yield* Effect.promise(() => import("./commands/server.js"))
  const followed = yield* Ref.make("ID")
  const onLost = Effect.flatMap(Ref.get(followed), (sessionId) =>
    screen.writeError(`skein: ${Texts.serverGone(sessionId, place.options)}\n`)
  )
  const server = yield* connect(folder, yield* Version, onLost)
  if (server === null) return null
  const events: Service["events"] = (range) =>
    Stream.unwrap(Effect.as(Ref.set(followed, range.sessionId), server.gateway.events(range)))
  return { ...server, gateway: { ...server.gateway, events } } satisfies LiveServer
})
