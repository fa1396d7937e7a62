/** Who sent a request: the token that it carries, or the one that its cookie stands for, as that token is now. */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Clock, Effect, Schema } from "effect"
import * as Body from "../../http/Body.js"
import { Unauthorized } from "../../http/RequestErrors.js"
import type * as Hosts from "./Hosts.js"
import * as SignIn from "./SignIn.js"
import * as TokenFolder from "./TokenFolder.js"
import * as TokenText from "./TokenText.js"

const Code = Schema.Struct({ code: Schema.String.pipe(Schema.maxLength(100)) }).annotations({ identifier: "Code" })
const readCode = Effect.scoped(Body.json(Code)).pipe(Effect.provideService(Body.JsonBytes, 1024))

/** Methods that change nothing. */
const isSafe = (method: string): boolean => ["GET", "HEAD", "OPTIONS"].includes(method)

const ownScheme = /^Bearer\b/i
const bearer = /^Bearer +([!-~]+)$/i

const emptyWith = (cookie: string) => HttpServerResponse.empty({ status: 204, headers: { "set-cookie": cookie } })

const attributesOf = (base: string): string => `HttpOnly; SameSite=Strict; Path=${base}`

/** The tokens of a server's folder, and who has signed in. */
export const make = (folder: string) => {
  const signIn = SignIn.make(folder)
  const ofFolder = TokenText.hashOf(folder).slice(0, 12)

  /** Cookies do not distinguish ports, so each server on this host has its own cookie name, even on the same folder. */
  const cookieNameOf = (request: HttpServerRequest): string => {
    const { localPort } = NodeHttpServerRequest.toIncomingMessage(request).socket
    return `skein-${ofFolder}-${localPort ?? "socket"}`
  }

  /** The token that somebody signed in with, if it is good at that time; otherwise null. */
  const good = ({ hash, name }: SignIn.SignedIn, now: number) =>
    Effect.map(TokenFolder.find(folder, name), (token) =>
      token !== null && TokenText.isSame(token.hash, hash) && TokenFolder.isGood(token, now) ? token : null
    )

  const known = (as: SignIn.SignedIn | null) =>
    Effect.gen(function* () {
      const token = as === null ? null : yield* good(as, yield* Clock.currentTimeMillis)
      return token ?? (yield* new Unauthorized())
    })

  const cookieOf = (request: HttpServerRequest): string | null => {
    const name = cookieNameOf(request)
    const value = request.cookies[name]
    return value === undefined ? null : `${name}=${value}`
  }

  return {
    good,
    /**
     * Returns the token that a request is from, and the cookie that says so. A cookie counts only from the server's own
     * page; for methods that change nothing, it also counts from a program.
     */
    of: (request: HttpServerRequest, caller: Hosts.Caller) =>
      Effect.gen(function* () {
        const { authorization = "" } = request.headers
        // Credentials of another scheme are those of a proxy, which passes them on.
        if (ownScheme.test(authorization)) {
          const text = bearer.exec(authorization)?.[1] ?? ""
          const name = TokenText.nameIn(text)
          const token = yield* known(name === null ? null : { name, hash: TokenText.hashOf(text) })
          return { token, cookie: null }
        }
        const cookie = cookieOf(request)
        const counts = caller === "own" || (caller === "program" && isSafe(request.method))
        if (cookie === null || !counts) return yield* new Unauthorized()
        return { token: yield* known(yield* signIn.find(cookie)), cookie }
      }),
    /** Exchanges the code in a request's body for a cookie, for the paths that begin with `base`. */
    login: (base: string, isSecure: boolean) =>
      Effect.gen(function* () {
        const { code } = yield* readCode
        const cookie = yield* signIn.exchange(code, cookieNameOf(yield* HttpServerRequest))
        if (cookie === null) return yield* new Unauthorized()
        const lasting = `${attributesOf(base)}; Max-Age=${signIn.cookieSeconds}`
        return emptyWith(`${cookie}; ${lasting}${isSecure ? "; Secure" : ""}`)
      }),
    /** Ends a cookie. */
    logout: (base: string, cookie: string | null) =>
      Effect.zipRight(
        cookie === null ? Effect.void : signIn.end(cookie),
        Effect.map(HttpServerRequest, (request) =>
          emptyWith(`${cookieNameOf(request)}=; ${attributesOf(base)}; Max-Age=0`)
        )
      )
  }
}
