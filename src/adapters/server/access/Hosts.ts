/**
 * Which names a server goes by, and which pages may call it. Exact lists: no patterns, no suffixes. Pure.
 *
 * A server goes by the names of the loopback and the address that a request came to, each with its own port, and by the
 * names in its settings. A page may call it if the page is the server's own, under the very name that it calls, or if
 * the page's origin is on the list.
 */

/** What a server's settings say about its names. */
export interface Settings {
  /** Names that the Host header may have besides those of the loopback, such as `skein.example` or `10.0.0.5:4747`. */
  readonly hosts?: ReadonlyArray<string> | undefined
  /** Origins of other pages that may call it, such as `https://app.example`. Defaults to none. */
  readonly origins?: ReadonlyArray<string> | undefined
  /** Whether `X-Forwarded-Host` and `X-Forwarded-Proto` come from a proxy and are true. Defaults to false. */
  readonly trustForwarded?: boolean | undefined
}

/** What a request says about where it comes from and goes to. */
export interface Asked {
  /** All values of the Host header. */
  readonly hosts: ReadonlyArray<string>
  readonly header: (name: string) => string | undefined
  /** The address that it came to; null for a socket in a folder. */
  readonly address: string | null
  /** The port that it came to; null for a socket in a folder. */
  readonly port: number | null
}

const loopback = ["127.0.0.1", "localhost", "[::1]"]

/** Returns a header's value; undefined if it has several. */
const single = (text: string | undefined): string | undefined => (text?.includes(",") === true ? undefined : text)

/** The host that a request names, in lower case; null if it names none, or several. */
const hostOf = ({ header, hosts }: Asked, { trustForwarded = false }: Settings): string | null => {
  const [host, ...others] = hosts
  if (host === undefined || others.length > 0) return null
  const forwarded = header("x-forwarded-host")
  const meant = trustForwarded && forwarded !== undefined ? single(forwarded) : host
  return meant?.trim().toLowerCase() ?? null
}

/** The address in the form of a host name. No other site can have a page under it. */
const addressOf = ({ address }: Asked): ReadonlyArray<string> => {
  if (address === null) return []
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "")
  return [plain.includes(":") ? `[${plain}]` : plain]
}

/** The name by which a request calls the server; null if the server has no such name. */
export const nameOf = (asked: Asked, settings: Settings): string | null => {
  const host = hostOf(asked, settings)
  const { port } = asked
  const own = [...loopback, ...addressOf(asked)]
  const named = (settings.hosts ?? []).map((name) => name.toLowerCase())
  const withPort = (name: string) => (port === null ? [] : [`${name}:${port}`])
  const allowed = [
    ...own.flatMap((name) => [...withPort(name), ...(port === null || port === 80 ? [name] : [])]),
    ...named,
    ...named.flatMap((name) => (/:\d+$/.test(name) ? [] : withPort(name)))
  ]
  return host !== null && allowed.includes(host) ? host : null
}

/** The origins that the server's own pages have under a name. */
const ownOrigins = (name: string, { header }: Asked, { hosts = [], trustForwarded = false }: Settings) => {
  const forwarded = trustForwarded ? single(header("x-forwarded-proto"))?.toLowerCase() : undefined
  if (forwarded !== undefined) return [`${forwarded}://${name}`]
  // A name from the settings may be that of a proxy, which speaks TLS.
  return [`http://${name}`, ...(hosts.some((host) => host.toLowerCase() === name) ? [`https://${name}`] : [])]
}

/** What may ask: the server's own page, a page on the list, or a program that is not a page. */
export type Caller = "own" | "listed" | "program"

/**
 * Returns what asks; null for a page that must not. A browser sends the origin with a request that may change
 * something; with all other requests it says whether another site asks.
 */
export const callerOf = (name: string, asked: Asked, settings: Settings): Caller | null => {
  const origin = asked.header("origin")
  const site = asked.header("sec-fetch-site")
  if (origin !== undefined && (settings.origins ?? []).includes(origin)) return "listed"
  if (site === "cross-site" || site === "same-site") return null
  if (origin !== undefined) return ownOrigins(name, asked, settings).includes(origin) ? "own" : null
  return site === "same-origin" ? "own" : "program"
}
