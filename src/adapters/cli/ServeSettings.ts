/** How a server is reached, as its command line says it: addresses, names, and what a proxy in front of it does. */
import { Effect } from "effect"
import { isIP } from "node:net"
import { InvalidInput } from "../../domain/SkeinError.js"
import type { Address } from "./Engine.js"
import { WrongUsage } from "./Failure.js"
import { defaults } from "../../services/EngineConfig.js"
import type { Place } from "./Place.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Serve.js"

export interface Given {
  readonly port: string | null
  readonly socket: string | null
  readonly open: boolean
  readonly drain: string | null
  readonly host: string | null
  readonly knows: boolean
  readonly names: string | null
  readonly origins: string | null
  readonly basePath: string | null
  readonly behindProxy: boolean
  readonly address: string | null
}

const usualPort = 4747
const loopback = "127.0.0.1"

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))

const refused = (field: string, limit: string, text: string) =>
  new InvalidInput({ field, limit, actual: TerminalText.short(text, 80) })

const portOf = (field: string, text: string, least: number) =>
  /^\d{1,5}$/.test(text) && Number(text) >= least && Number(text) <= 65_535
    ? Effect.succeed(Number(text))
    : refused(field, Texts.portForm, text)

const hostOf = ({ host, knows }: Given): Effect.Effect<string, WrongUsage> => {
  if (host === null) {
    return knows ? new WrongUsage({ detail: Texts.needlessKnowledge }) : Effect.succeed(loopback)
  }
  return isLoopback(host) || knows
    ? Effect.succeed(host)
    : new WrongUsage({ detail: Texts.needsKnowledge(TerminalText.line(host)) })
}

const namePattern = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/
const originPattern = /^https?:\/\/(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/
const basePattern = /^(?:\/[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/

/** Texts with commas between them, each of which must match the pattern. */
const listOf = (field: string, text: string | null, pattern: RegExp, limit: string) =>
  Effect.forEach(text === null ? [] : text.split(","), (one) =>
    pattern.test(one.trim()) ? Effect.succeed(one.trim()) : refused(field, limit, one)
  )

/** The port to listen on; null when a socket is enough. */
const listeningPortOf = ({
  host,
  open,
  port,
  socket
}: Given): Effect.Effect<number | null, WrongUsage | InvalidInput> => {
  if (port === null) return Effect.succeed(usualPort)
  if (port !== "none") return portOf("--port", port, 0)
  if (socket === null) return new WrongUsage({ detail: Texts.nowhere })
  const needless = open ? "--open" : host === null ? null : "--host"
  return needless === null ? Effect.succeed(null) : new WrongUsage({ detail: Texts.needsPort(needless) })
}

/** How long runs have to end once the server is stopping. */
export const drainMillis = ({ drain }: Given): Effect.Effect<number, InvalidInput> =>
  drain === null
    ? Effect.succeed(defaults.drainMillis)
    : /^\d{1,5}$/.test(drain) && Number(drain) <= 86_400
      ? Effect.succeed(Number(drain) * 1000)
      : refused("--drain", Texts.drainForm, drain)

/** Where a server listens, and by which names, pages and path it is called. */
export const reached = Effect.fn("ServeSettings.reached")(function* (given: Given) {
  const { basePath, behindProxy, names, origins } = given
  if (basePath !== null && !basePattern.test(basePath)) return yield* refused("--base-path", Texts.baseForm, basePath)
  return {
    port: yield* listeningPortOf(given),
    host: yield* hostOf(given),
    hosts: yield* listOf("--names", names, namePattern, Texts.namesForm),
    origins: yield* listOf("--origins", origins, originPattern, Texts.originsForm),
    trustForwarded: behindProxy,
    ...(basePath === null ? {} : { basePath })
  }
})

/** The URL of the page behind a proxy, without a slash at the end; null without one, or if it has no name. */
export const proxied = ({
  basePath = "",
  hosts: [name],
  trustForwarded
}: Effect.Effect.Success<ReturnType<typeof reached>>): string | null =>
  trustForwarded && name !== undefined ? `https://${name}${basePath}` : null

/** Where the other runners of a cluster reach this one; null for no cluster. */
export const address = Effect.fn("ServeSettings.address")(function* ({ address }: Given, place: Place) {
  if (address === null) return null
  if (place._tag !== "Database") return yield* new WrongUsage({ detail: Texts.addressNeedsDatabase })
  const [, host = "", port = ""] = /^(.+):(\d+)$/.exec(address) ?? []
  if (host === "") return yield* refused("--address", Texts.addressForm, address)
  return { host, port: yield* portOf("--address", port, 1) } satisfies Address
})
