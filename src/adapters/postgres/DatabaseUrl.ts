/**
 * URLs of databases: which are accepted, and what may be shown of one, because user, password and options are private.
 * Loads no driver.
 */

/** A user without a host, which the driver accepts. */
const hostless = /^(postgres(?:ql)?:\/\/)[^@/?#]*@(?=\/)/

const parsed = (url: string): URL | null => {
  try {
    return new URL(url.replace(hostless, "$1"))
  } catch {
    return null
  }
}

/**
 * Whether a piece of the password may be in a part that is shown. An @ after the host means that the password was cut
 * off there, by a character that should have been encoded.
 */
const isCut = ({ hash, pathname, search }: URL): boolean => `${pathname}${search}${hash}`.includes("@")

/** Why a URL is not accepted; null when it is. */
export const fault = (url: string): "scheme" | "form" | null => {
  if (!/^postgres(?:ql)?:\/\//.test(url)) return "scheme"
  const found = parsed(url)
  return found === null || isCut(found) ? "form" : null
}

/** The URL for the driver, which knows no schemas, and the schema that the URL names; null for none. */
export const parts = (text: string): { readonly url: string; readonly schema: string | null } => {
  const [, before = "", schema = null, after = ""] = /^([^?]*\?(?:[^#]*&)?)schema=([^&#]*)&?(.*)$/.exec(text) ?? []
  return schema === null ? { url: text, schema } : { url: `${before}${after}`, schema }
}

interface Environment {
  readonly PGHOST?: string
  readonly PGPORT?: string
  readonly PGDATABASE?: string
}

const hostOf = ({ host, searchParams }: URL, env: Environment): string => {
  if (host !== "") return host
  const name = searchParams.get("host") ?? env.PGHOST ?? "localhost"
  const port = searchParams.get("port") ?? env.PGPORT ?? ""
  return `${name.startsWith("/") ? encodeURIComponent(name) : name}${port === "" ? "" : `:${port}`}`
}

/**
 * Returns the host and the database of a URL, without user, password and options. What the URL leaves out comes from
 * the environment, as it does for the driver.
 */
export const where = (url: string, env: Environment = process.env): string => {
  const found = parsed(url)
  if (found === null || isCut(found)) return "postgres:"
  const isNamed = found.pathname.length > 1
  return `postgres://${hostOf(found, env)}${isNamed ? found.pathname : env.PGDATABASE ? `/${env.PGDATABASE}` : ""}`
}

/**
 * Returns the URL for the driver. In all modes that ask for encryption, this version of the driver also checks the
 * server's certificate, but warns that the next one will not. So the URL says it outright: `verify-full`.
 */
export const forDriver = (url: string): string =>
  /[?&]uselibpqcompat=/.test(url)
    ? url
    : url.replace(/(\?(?:[^#]*&)?sslmode=)(?:prefer|require|verify-ca)(?=[&#]|$)/, "$1verify-full")

/** Whether a URL can be shown as it is. */
export const isPublic = (url: string): boolean => {
  const found = parsed(url)
  return (
    found !== null && !hostless.test(url) && `${found.password}${found.search}${found.hash}` === "" && !isCut(found)
  )
}
