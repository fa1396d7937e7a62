/**
 * Signature Version 4, checked on the request as it arrived, according to AWS's description and with Node's own crypto:
 * nothing of the code that signs is used here.
 */
import { createHash, createHmac } from "node:crypto"
import type { IncomingMessage } from "node:http"

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly region: string
}

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest()
const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex")

/** As AWS writes it: everything except unreserved characters is escaped. */
const uriEncode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

const canonicalQuery = (query: string) =>
  query
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", ...value] = pair.split("=")
      return [name, value.join("=")].map((text) => uriEncode(decodeURIComponent(text.replaceAll("+", "%20"))))
    })
    .sort(([a = "", x = ""], [b = "", y = ""]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1))
    .map((pair) => pair.join("="))
    .join("&")

/** The error code for what is wrong with a request; null if it is signed correctly. */
export const check = (
  request: IncomingMessage,
  body: Buffer,
  { accessKeyId, region, secretAccessKey, sessionToken }: Credentials
): string | null => {
  const header = (name: string) => String(request.headers[name] ?? "")
  const parsed = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    header("authorization")
  )
  if (parsed === null) return "AccessDenied"
  const [, credential = "", signedHeaders = "", signature = ""] = parsed
  const date = header("x-amz-date")
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`
  if (credential.split("/")[0] !== accessKeyId) return "InvalidAccessKeyId"
  if (credential !== `${accessKeyId}/${scope}`) return "AuthorizationHeaderMalformed"
  if ((sessionToken ?? "") !== header("x-amz-security-token")) return "InvalidToken"
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"))
  if (!(Math.abs(new Date().getTime() - at) < 15 * 60_000)) return "RequestTimeTooSkewed"
  const names = signedHeaders.split(";")
  const needed = ["host", ...Object.keys(request.headers).filter((name) => name.startsWith("x-amz-"))]
  if (needed.some((name) => !names.includes(name))) return "AccessDenied"
  if (header("x-amz-content-sha256") !== sha256(body)) return "XAmzContentSHA256Mismatch"
  const [path = "", query = ""] = (request.url ?? "").split("?")
  const canonical = [
    request.method,
    path
      .split("/")
      .map((part) => uriEncode(decodeURIComponent(part)))
      .join("/"),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${header(name).trim().replace(/\s+/g, " ")}`),
    "",
    signedHeaders,
    header("x-amz-content-sha256")
  ].join("\n")
  const key = [date.slice(0, 8), region, "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  const expected = hmac(key, ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n")).toString("hex")
  return expected === signature ? null : "SignatureDoesNotMatch"
}
