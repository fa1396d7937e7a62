/**
 * A server of the Model Context Protocol over HTTP that requires a bearer token, together with its authorization
 * server: discovery, registration, authorization codes with PKCE, refreshing. Opening its link counts as permission.
 */
import { Effect, Schema } from "effect"
import { createHash, randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Loopback from "../../../support/Loopback.js"

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of request) text += String(chunk)
  return text
}

const Call = Schema.decodeUnknownSync(
  Schema.parseJson(
    Schema.Struct({
      id: Schema.optional(Schema.Number),
      method: Schema.String,
      params: Schema.optional(Schema.Struct({ protocolVersion: Schema.optional(Schema.String) }))
    })
  )
)

const resultOf = (method: string, protocolVersion: string | undefined) => {
  if (method === "initialize")
    return { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "locked", version: "1" } }
  if (method === "tools/list") return { tools: [{ name: "go", inputSchema: { type: "object", properties: {} } }] }
  return { content: [{ type: "text", text: "gone" }] }
}

/** Serves on a free port until the scope is closed. All secrets that it issues contain "canary". */
export const oauthServer = Effect.gen(function* () {
  const codes = new Map<string, string>()
  const good = new Set<string>()
  const refreshers = new Set<string>()
  const seen = { registrations: 0, refreshes: 0 }
  /** The headers of requests that are not for the server itself but for who grants access to it. */
  const headersElsewhere: Array<string> = []
  let base = ""

  const grant = () => {
    const [access, refresh] = [`canary-access-${randomUUID()}`, `canary-refresh-${randomUUID()}`]
    good.add(access)
    refreshers.add(refresh)
    return { access_token: access, token_type: "Bearer", refresh_token: refresh, expires_in: 3600 }
  }

  const json = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

  const token = (form: URLSearchParams, response: ServerResponse) => {
    if (form.get("grant_type") === "refresh_token") {
      seen.refreshes++
      const given = form.get("refresh_token") ?? ""
      const isKnown = refreshers.delete(given)
      // It repeats what it was told in confidence.
      const refusal = { error: "invalid_grant", error_description: `no such ${given}` }
      return isKnown ? json(response, 200, grant()) : json(response, 400, refusal)
    }
    const challenge = codes.get(form.get("code") ?? "")
    const proof = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url")
    return challenge === proof ? json(response, 200, grant()) : json(response, 400, { error: "invalid_grant" })
  }

  const mcp = async (request: IncomingMessage, response: ServerResponse) => {
    const bearer = (request.headers.authorization ?? "").replace("Bearer ", "")
    if (!good.has(bearer)) {
      const where = `Bearer resource_metadata="${base}/.well-known/oauth-protected-resource"`
      return json(response, 401, {}, { "www-authenticate": where })
    }
    if (request.method !== "POST") return response.writeHead(405).end()
    const { id, method, params } = Call(await bodyOf(request))
    if (id === undefined) return response.writeHead(202).end()
    return json(response, 200, { jsonrpc: "2.0", id, result: resultOf(method, params?.protocolVersion) })
  }

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", base)
    if (pathname === "/mcp") return mcp(request, response)
    headersElsewhere.push(JSON.stringify(request.headers))
    if (pathname.startsWith("/.well-known/oauth-protected-resource"))
      return json(response, 200, { resource: `${base}/mcp`, authorization_servers: [base] })
    if (pathname === "/.well-known/oauth-authorization-server")
      return json(response, 200, {
        issuer: base,
        authorization_endpoint: `${base}/authorize`,
        token_endpoint: `${base}/token`,
        registration_endpoint: `${base}/register`,
        response_types_supported: ["code"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        token_endpoint_auth_methods_supported: ["none"],
        code_challenge_methods_supported: ["S256"]
      })
    if (pathname === "/register") {
      seen.registrations++
      const given: object = JSON.parse(await bodyOf(request))
      return json(response, 201, { ...given, client_id: "the-client" })
    }
    if (pathname === "/authorize") {
      const code = `canary-code-${randomUUID()}`
      codes.set(code, searchParams.get("code_challenge") ?? "")
      const back = new URL(searchParams.get("redirect_uri") ?? base)
      back.searchParams.set("code", code)
      back.searchParams.set("state", searchParams.get("state") ?? "")
      return response.writeHead(302, { location: back.href }).end()
    }
    if (pathname === "/token") return token(new URLSearchParams(await bodyOf(request)), response)
    return json(response, 404, {})
  }

  base = yield* Loopback.serve((request, response) => void serve(request, response).catch(() => response.destroy()))
  return {
    url: `${base}/mcp`,
    seen,
    headersElsewhere,
    /** Makes bearer tokens invalid; they can still be refreshed. */
    expire: () => good.clear(),
    /** Makes everything invalid that was issued. */
    revoke: () => {
      good.clear()
      refreshers.clear()
    }
  }
})
