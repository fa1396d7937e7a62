/**
 * Logins for servers that ask for OAuth, each in a file of its own that only its owner can read: `SERVER.json` in a
 * folder. A login is valid only for the URL that it was made for; another URL needs a new login. What is in the file
 * appears in no error, no log and no event.
 *
 * The client package implements the protocol: discovery, registration of the client, PKCE, and refreshing. Nothing here
 * opens a page: an engine that would need the user fails with `LoginNeeded`.
 */
import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens
} from "@modelcontextprotocol/client"
import { Either, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { readFile, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as FolderCreation from "../node/FolderCreation.js"
import * as PrivateFile from "../node/PrivateFile.js"

/** The user must log in. */
export class LoginNeeded extends Error {
  override readonly name = "LoginNeeded"
}

const optional = Schema.optional(Schema.String)

const Tokens = Schema.Struct({
  access_token: Schema.String,
  token_type: Schema.String,
  refresh_token: optional,
  scope: optional,
  issuer: optional,
  expires_in: Schema.optional(Schema.Number)
})

const Client = Schema.Struct({
  client_id: Schema.String,
  client_secret: optional,
  issuer: optional,
  client_id_issued_at: Schema.optional(Schema.Number),
  client_secret_expires_at: Schema.optional(Schema.Number),
  token_endpoint_auth_method: optional
})

const Login = Schema.parseJson(
  Schema.Struct({
    url: Schema.String,
    redirect: Schema.String,
    client: Schema.optional(Client),
    tokens: Schema.optional(Tokens)
  })
)
type Login = typeof Login.Type

const decode = Schema.decodeUnknownEither(Login)
const encode = Schema.encodeSync(Login)

/** The file of a server's login. */
const fileOf = (folder: string, server: string): string => join(folder, `${server}.json`)

const read = async (file: string, url: string): Promise<Login | null> => {
  const text = await readFile(file, "utf8").catch(() => "")
  const login = Either.getOrNull(decode(text))
  return login?.url === url ? login : null
}

const write = (file: string, login: Login): void => {
  FolderCreation.make(dirname(file))
  PrivateFile.write(file, encode(login))
}

/** Forgets a login. Returns whether there was one. */
export const remove = (folder: string, server: string): Promise<boolean> =>
  rm(fileOf(folder, server)).then(
    () => true,
    () => false
  )

/** What somebody who logs in has, and an engine does not. */
interface Asking {
  /** Where the user comes back to. */
  readonly redirect: string
  /** Identifies who began the login. */
  readonly state: string
  readonly onLink: (link: URL) => void
}

const metadataOf = (redirect: string): OAuthClientMetadata => ({
  client_name: "Skein",
  redirect_uris: [redirect],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none"
})

const provider = (file: string, url: string, asking: Asking | null, redirect: string): OAuthClientProvider => {
  let verifier = ""
  let discovery: OAuthDiscoveryState | undefined
  const change = async (more: Partial<Login>) =>
    write(file, { ...((await read(file, url)) ?? { url, redirect }), ...more })
  return {
    redirectUrl: redirect,
    clientMetadata: metadataOf(redirect),
    state: () => asking?.state ?? randomUUID(),
    clientInformation: async (): Promise<StoredOAuthClientInformation | undefined> => (await read(file, url))?.client,
    saveClientInformation: (client) => change({ client }),
    tokens: async (): Promise<StoredOAuthTokens | undefined> => (await read(file, url))?.tokens,
    saveTokens: (tokens) => change({ tokens }),
    redirectToAuthorization: (link) => {
      if (asking === null) throw new LoginNeeded()
      asking.onLink(link)
    },
    saveCodeVerifier: (made) => void (verifier = made),
    codeVerifier: () => verifier,
    saveDiscoveryState: (found) => void (discovery = found),
    discoveryState: () => discovery,
    invalidateCredentials: async (what) => {
      if (what === "all" || what === "discovery") discovery = undefined
      if (what === "all" || what === "verifier") verifier = ""
      const login = await read(file, url)
      if (login === null) return
      if (what === "all" || what === "tokens") return write(file, { ...login, tokens: undefined })
      if (what === "client") return write(file, { ...login, client: undefined })
    }
  }
}

/** The login of a server for an engine, and the file by which those who refresh it take turns. */
interface Found {
  readonly login: OAuthClientProvider
  readonly lock: string
}

/** The login of a server; null when nobody has logged in. */
export const find = async (folder: string, server: string, url: string): Promise<Found | null> => {
  const file = fileOf(folder, server)
  const login = await read(file, url)
  if (login?.tokens === undefined) return null
  return { login: provider(file, url, null, login.redirect), lock: join(folder, `${server}.lock`) }
}

/** Begins a login. The old file is removed, because the client in it was registered with another redirect. */
export const begin = async (
  folder: string,
  server: string,
  url: string,
  asking: Asking
): Promise<OAuthClientProvider> => {
  const file = fileOf(folder, server)
  await rm(file, { force: true })
  return provider(file, url, asking, asking.redirect)
}
