/**
 * URLs of databases: which are taken, and what may be said of one, as user, password and options are nobody's business.
 * Loads no driver.
 */

/** A user without a host, whom the driver takes. */
const hostless = /^(postgres(?:ql)?:\/\/)[^@/?#]*@(?=\/)/

const parsed = (url: string): URL | null => {
  try {
    return new URL(url.replace(hostless, "$1"))
  } catch {
    return null
  }
}

/**
 * Whether something of a password may stand where others read it. An @ behind the host's place belongs to one that was cut
 * there, by a character that had to be encoded.
 */
const isCut = ({ hash, pathname, search }: URL): boolean => `${pathname}${search}${hash}`.includes("@")

/** Why a URL is not taken; null when it is. */
export const fault = (url: string): "scheme" | "form" | null => {
  if (!/^postgres(?:ql)?:\/\//.test(url)) return "scheme"
  const found = parsed(url)
  return found === null || isCut(found) ? "form" : null
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

/** The host and the database of a URL, without who and how. What it leaves out is the environment's, as for the driver. */
export const where = (url: string, env: Environment = process.env): string => {
  const found = parsed(url)
  if (found === null || isCut(found)) return "postgres:"
  const isNamed = found.pathname.length > 1
  return `postgres://${hostOf(found, env)}${isNamed ? found.pathname : env.PGDATABASE ? `/${env.PGDATABASE}` : ""}`
}

/**
 * The URL as the driver takes it. It would have the modes that ask for encryption check the server's certificate too, as
 * this version does, and print a warning that the next one will not.
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
