/**
 * Requests to the server of a bucket: signed, bounded in time, and made again when that may help.
 *
 * - A body's hash is signed with it, so what arrives is what was sent.
 * - No failure contains the URL, a header or a text from the server: only its status and a code like `AccessDenied`.
 * - A redirect is a failure; following it would show the signature to another server.
 */
import { AwsV4Signer } from "aws4fetch"
import { Duration, Effect, Encoding, Redacted, Schedule, Schema } from "effect"
import { codeOf } from "../ErrorCode.js"
import * as Answers from "./Answers.js"
import type { Settings } from "./Settings.js"

/** A request failed. */
export class S3Failed extends Schema.TaggedError<S3Failed>()("S3Failed", {
  detail: Schema.String,
  /** The object or upload does not exist. */
  missing: Schema.Boolean,
  /** Another try may succeed. All requests are harmless when they are made twice. */
  isTransient: Schema.Boolean
}) {
  override get message() {
    return this.detail
  }
}

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE"
  /** The key of an object; without it, the request is for the bucket itself. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  /** They are signed. */
  readonly headers?: Readonly<Record<string, string>>
  readonly range?: string
  readonly body?: Uint8Array<ArrayBuffer>
  /** The server may take minutes to answer. */
  readonly isSlow?: boolean
}

export interface Answer {
  readonly headers: Headers
  readonly text: string
}

/** Longest silence of a server. */
const silence = Duration.seconds(30)
const slowSilence = Duration.minutes(4)
/** Bytes per second of a slow connection. */
const slowest = 64 * 1024

/** How long the answer to a request may take. */
const patience = ({ body, isSlow = false }: S3Request): Duration.Duration =>
  Duration.sum(isSlow ? slowSilence : silence, Duration.seconds((body?.length ?? 0) / slowest))

const silent = () => new S3Failed({ detail: "the store does not answer", missing: false, isTransient: true })

/** The connection failed. The error itself may contain the URL. */
export const broken = (thrown: unknown) =>
  new S3Failed({
    detail: `the connection to the store failed: ${codeOf(thrown)}`,
    missing: false,
    isTransient: true
  })

/** The server refused, or answered something other than what was asked. */
export const refused = (status: number, text: string) => {
  const code = Answers.errorCode(text)
  return new S3Failed({
    detail: `the store answered ${status}${code === "" ? "" : ` ${code}`}`,
    missing: status === 404 && code !== "NoSuchBucket",
    isTransient:
      (status >= 500 && status !== 501) ||
      status === 429 ||
      status === 408 ||
      /^(RequestTimeout|InternalError|SlowDown)$/.test(code)
  })
}

/** The waits before the second, third and fourth try; none once the tries take long. */
export const retries = Schedule.exponential("100 millis").pipe(
  Schedule.jittered,
  Schedule.intersect(Schedule.recurs(3)),
  Schedule.upTo("20 seconds")
)

/** Dot segments would make it another key, because a URL parser resolves them. */
const isAddressable = (key: string): boolean => !key.split("/").some((part) => part === "." || part === "..")

export const make = (settings: Settings) => {
  const { accessKeyId, bucket, endpoint, pathStyle, region, secretAccessKey, sessionToken } = settings
  const server = new URL(endpoint)
  const host = pathStyle ? server.host : `${bucket}.${server.host}`
  const root = `${server.protocol}//${host}${server.pathname.replace(/\/+$/, "")}${pathStyle ? `/${bucket}` : ""}`
  /** The signing keys, one per day. */
  const cache = new Map<string, ArrayBuffer>()

  const urlOf = ({ key, query = {} }: S3Request): string => {
    const path = key === undefined ? "" : `/${key.split("/").map(encodeURIComponent).join("/")}`
    const search = new URLSearchParams(query).toString()
    return `${root}${path}${search === "" ? "" : `?${search}`}`
  }

  const sign = async (request: S3Request): Promise<{ readonly url: URL; readonly headers: Headers }> => {
    const digest = await crypto.subtle.digest("SHA-256", request.body ?? new Uint8Array(0))
    const signer = new AwsV4Signer({
      method: request.method,
      url: urlOf(request),
      headers: { ...request.headers, "x-amz-content-sha256": Encoding.encodeHex(new Uint8Array(digest)) },
      service: "s3",
      region,
      accessKeyId,
      secretAccessKey: Redacted.value(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: Redacted.value(sessionToken) }),
      cache
    })
    const { headers, url } = await signer.sign()
    // These change on the way, so they are not signed.
    headers.set("accept-encoding", "identity")
    if (request.range !== undefined) headers.set("range", request.range)
    return { url, headers }
  }

  /** One try. Interruption closes the connection. */
  const exchange = <A>(request: S3Request, use: (response: Response) => Promise<A>) =>
    Effect.tryPromise({
      try: async (signal) => {
        const { headers, url } = await sign(request)
        const { body = null, method } = request
        return await use(await fetch(url, { method, headers, body, signal, redirect: "manual" }))
      },
      catch: broken
    }).pipe(
      // The timeout's own fiber ends the request, even where the waiting fiber cannot be interrupted.
      Effect.interruptible,
      Effect.timeoutFail({ duration: patience(request), onTimeout: silent })
    )

  const addressable = <A>(request: S3Request, effect: Effect.Effect<A, S3Failed>): Effect.Effect<A, S3Failed> =>
    isAddressable(request.key ?? "")
      ? effect
      : new S3Failed({ detail: "no URL can name the object", missing: false, isTransient: false })

  /** Makes the request and reads the answer. */
  const send = (request: S3Request): Effect.Effect<Answer, S3Failed> =>
    addressable(
      request,
      exchange(request, async (response) => ({
        status: response.status,
        headers: response.headers,
        text: await response.text()
      })).pipe(
        // A server that began to answer before it was done reports a failure in the text.
        Effect.filterOrFail(
          ({ status, text }) => status >= 200 && status < 300 && Answers.elements(text, "Error").length === 0,
          ({ status, text }) => refused(status, text)
        ),
        Effect.retry({ schedule: retries, while: ({ isTransient }) => isTransient })
      )
    )

  /** Makes the request once and leaves the answer's body to be read, whatever its status. */
  const open = (request: S3Request): Effect.Effect<Response, S3Failed> =>
    addressable(
      request,
      exchange(request, (response) => Promise.resolve(response))
    )

  return { send, open, silence, silent }
}
