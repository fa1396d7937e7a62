/**
 * A small, strict S3 in memory, for tests: it checks each signature and each body's hash, returns lists in pages of two
 * with tokens that need escapes, refuses parts that are too small, ignores `If-None-Match` as some servers do, and can
 * fail in any way that a test asks for.
 */
import { Clock, Deferred, Effect } from "effect"
import type { Scope } from "effect"
import { createHash, randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Loopback from "../Loopback.js"
import * as Signature from "./Signature.js"

/** A request, without its body. */
export interface Seen {
  readonly method: string
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage["headers"]
}

/** What goes wrong with a request. */
export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly code?: string; readonly location?: string }
  /** The connection is cut once this many bytes of the body have arrived, and nothing is done. */
  | { readonly kind: "cut-request"; readonly bytes: number }
  /** The request is carried out, and the connection is cut once this many bytes of the answer's body were sent. */
  | { readonly kind: "cut-answer"; readonly bytes: number }
  /** The request is carried out, and its answer has status 200 and contains an error. */
  | { readonly kind: "late-error" }
  /**
   * The answer's headers and this many bytes are sent; the rest follows once the gate is open. With -1 nothing is ever
   * sent.
   */
  | { readonly kind: "stall"; readonly bytes: number; readonly until: Effect.Effect<void> }
  /** Ranges are ignored. */
  | { readonly kind: "no-ranges" }

export interface S3Server {
  readonly endpoint: string
  /** Objects by key. */
  readonly objects: Map<string, Buffer>
  /** Multipart uploads that have not ended, by id. */
  readonly uploads: Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>
  /** The age that lists show for objects, in milliseconds, by key. Defaults to 0. */
  readonly ages: Map<string, number>
  /** All requests so far, including refused ones. */
  readonly seen: Array<Seen>
  /**
   * Applies a fault to the next requests for which `when` is true. `reached` completes once the first of them has
   * arrived, `closed` once the first of them is over or its connection is closed.
   */
  readonly fail: (
    when: (seen: Seen) => boolean,
    fault: Fault,
    times?: number
  ) => Effect.Effect<{ readonly reached: Effect.Effect<void>; readonly closed: Effect.Effect<void> }>
}

export interface Options extends Signature.Credentials {
  readonly bucket: string
  /** How many names a page of a list has. */
  readonly pageSize?: number
  /** The bucket is in the host's name. */
  readonly isVirtual?: boolean
}

const leastPart = 5 * 1024 * 1024

const escape = (text: string) => text.replace(/[&<>"]/g, (character) => `&#x${character.charCodeAt(0).toString(16)};`)

const readBody = async (request: IncomingMessage, cutAt = Number.POSITIVE_INFINITY): Promise<Buffer | null> => {
  const pieces: Array<Buffer> = []
  let size = 0
  try {
    for await (const piece of request) {
      const bytes: Buffer = Buffer.from(piece)
      pieces.push(bytes)
      size += bytes.length
      if (size >= cutAt) {
        request.destroy()
        return null
      }
    }
  } catch {
    return null
  }
  return Buffer.concat(pieces)
}

interface Reply {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: Buffer | string
}

const error = (status: number, code: string): Reply => ({
  status,
  // A real server echoes the key and the text that it signed.
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>AWSAccessKeyId and StringToSign</Message></Error>`
})

/** The names on the page after `after`, and whether it is the last page. */
const page = (names: ReadonlyArray<string>, after: string, size: number) => {
  const rest = [...new Set(names)].sort().filter((name) => name > after)
  return { names: rest.slice(0, size), isLast: rest.length <= size }
}

const tag = (part: Buffer) => `"${createHash("md5").update(part).digest("hex")}"`

export const make = (options: Options): Effect.Effect<S3Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { bucket, isVirtual = false, pageSize = 2 } = options
    const objects: S3Server["objects"] = new Map()
    const uploads: S3Server["uploads"] = new Map()
    const ages: S3Server["ages"] = new Map()
    // The server's time goes on while the test's clock stands still.
    const clock = Clock.make()
    const seen: Array<Seen> = []
    const faults: Array<{
      readonly when: (seen: Seen) => boolean
      readonly fault: Fault
      left: number
      readonly reached: Deferred.Deferred<void>
      readonly closed: Deferred.Deferred<void>
    }> = []

    const list = (query: URLSearchParams): Reply => {
      const prefix = query.get("prefix") ?? ""
      const token = query.get("continuation-token")
      const after = token === null ? "" : Buffer.from(token.slice('<&"+ '.length), "base64url").toString()
      const names = [...objects.keys()].flatMap((key) => {
        if (!key.startsWith(prefix)) return []
        const end = query.has("delimiter") ? key.indexOf("/", prefix.length) : -1
        return [end < 0 ? key : key.slice(0, end + 1)]
      })
      const found = page(names, after, pageSize)
      const isCommon = (name: string) => query.has("delimiter") && name.endsWith("/") && name !== prefix
      return {
        status: 200,
        body: `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name>
          <Prefix>${escape(prefix)}</Prefix><IsTruncated>${!found.isLast}</IsTruncated>${found.names
            .filter((name) => !isCommon(name))
            .map((name) => {
              const at = new Date(clock.unsafeCurrentTimeMillis() - (ages.get(name) ?? 0)).toISOString()
              return `<Contents><Key>${escape(name)}</Key><LastModified>${at}</LastModified><Size>1</Size></Contents>`
            })
            .join("")}${found.names
            .filter(isCommon)
            .map((name) => `<CommonPrefixes><Prefix>${escape(name)}</Prefix></CommonPrefixes>`)
            .join("")}${
            found.isLast
              ? ""
              : `<NextContinuationToken>${escape(
                  `<&"+ ${Buffer.from(found.names.at(-1) ?? "").toString("base64url")}`
                )}</NextContinuationToken>`
          }</ListBucketResult>`
      }
    }

    const listUploads = (query: URLSearchParams): Reply => {
      const prefix = query.get("prefix") ?? ""
      const nameOf = ([id, { key }]: readonly [string, { readonly key: string }]) => `${key} ${id}`
      const names = [...uploads].filter(([, { key }]) => key.startsWith(prefix)).map(nameOf)
      const found = page(names, `${query.get("key-marker") ?? ""} ${query.get("upload-id-marker") ?? ""}`, pageSize)
      const elements = found.names.map((name) => {
        const [key = "", id = ""] = name.split(" ")
        return `<Upload><Key>${escape(key)}</Key><UploadId>${id}</UploadId></Upload>`
      })
      const [key = "", id = ""] = (found.names.at(-1) ?? "").split(" ")
      return {
        status: 200,
        body: `<ListMultipartUploadsResult><IsTruncated>${!found.isLast}</IsTruncated>
          <NextKeyMarker>${escape(key)}</NextKeyMarker><NextUploadIdMarker>${id}</NextUploadIdMarker>
          ${elements.join("")}</ListMultipartUploadsResult>`
      }
    }

    const complete = (key: string, id: string, body: Buffer): Reply => {
      const upload = uploads.get(id)
      if (upload === undefined || upload.key !== key) return error(404, "NoSuchUpload")
      const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag>/g)]
      const parts = named.map(([, number, etag = ""]) => ({ part: upload.parts.get(Number(number)), etag }))
      const wanted = parts.map(({ part }) => part ?? Buffer.alloc(0))
      if (parts.length === 0) return error(400, "MalformedXML")
      if (parts.some(({ etag, part }) => part === undefined || etag.replaceAll("&#34;", '"') !== tag(part)))
        return error(400, "InvalidPart")
      if (wanted.slice(0, -1).some((part) => part.length < leastPart)) return error(400, "EntityTooSmall")
      uploads.delete(id)
      objects.set(key, Buffer.concat(wanted))
      return { status: 200, body: "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>" }
    }

    const get = ({ headers, key, method }: Seen, knowsRanges: boolean): Reply => {
      const object = objects.get(key)
      if (object === undefined) return method === "HEAD" ? { status: 404 } : error(404, "NoSuchKey")
      const range = knowsRanges ? /^bytes=(\d+)-(\d+)$/.exec(String(headers["range"] ?? "")) : null
      if (method === "HEAD") return { status: 200, headers: { "content-length": `${object.length}` } }
      if (range === null) return { status: 200, body: object }
      const [from, to] = [Number(range[1]), Math.min(Number(range[2]), object.length - 1)]
      if (from >= object.length) return error(416, "InvalidRange")
      return {
        status: 206,
        headers: { "content-range": `bytes ${from}-${to}/${object.length}` },
        body: object.subarray(from, to + 1)
      }
    }

    const serve = (request: Seen, body: Buffer, knowsRanges: boolean): Reply => {
      const { headers, key, method, query } = request
      if (key === "") {
        if (method !== "GET") return error(405, "MethodNotAllowed")
        return query.has("uploads") ? listUploads(query) : list(query)
      }
      if (method === "GET" || method === "HEAD") return get(request, knowsRanges)
      const uploadId = query.get("uploadId")
      if (method === "POST" && query.has("uploads")) {
        const id = randomUUID()
        uploads.set(id, { key, parts: new Map() })
        return {
          status: 200,
          body: `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`
        }
      }
      if (method === "POST" && uploadId !== null) return complete(key, uploadId, body)
      if (method === "DELETE") {
        if (uploadId === null) objects.delete(key)
        else if (!uploads.delete(uploadId)) return error(404, "NoSuchUpload")
        return { status: 204 }
      }
      if (method !== "PUT" || headers["content-length"] === undefined) return error(411, "MissingContentLength")
      if (uploadId !== null) {
        const upload = uploads.get(uploadId)
        if (upload === undefined) return error(404, "NoSuchUpload")
        upload.parts.set(Number(query.get("partNumber")), body)
        return { status: 200, headers: { etag: tag(body) } }
      }
      const source = headers["x-amz-copy-source"]
      if (source !== undefined) {
        const object = objects.get(decodeURIComponent(String(source)).slice(`/${bucket}/`.length))
        if (object === undefined) return error(404, "NoSuchKey")
        objects.set(key, object)
        return { status: 200, body: "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>" }
      }
      objects.set(key, body)
      return { status: 200, headers: { etag: tag(body) } }
    }

    const reply = async (response: ServerResponse, { body = "", headers = {}, status }: Reply, fault: Fault | null) => {
      const bytes = Buffer.from(body)
      response.writeHead(status, { "content-length": bytes.length, ...headers })
      if (fault?.kind === "cut-answer") {
        response.write(bytes.subarray(0, fault.bytes), () => response.destroy())
        if (fault.bytes === 0) response.destroy()
        return
      }
      if (fault?.kind === "stall") {
        response.flushHeaders()
        response.write(bytes.subarray(0, fault.bytes))
        await Effect.runPromise(fault.until)
        response.end(bytes.subarray(fault.bytes))
        return
      }
      response.end(response.req.method === "HEAD" ? undefined : bytes)
    }

    const handle = async (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(request.url ?? "", "http://host")
      const isOurs = isVirtual
        ? String(request.headers.host).startsWith(`${bucket}.`)
        : `${url.pathname}/`.startsWith(`/${bucket}/`)
      const key = decodeURIComponent(isVirtual ? url.pathname.slice(1) : url.pathname.slice(bucket.length + 2))
      const asked: Seen = { method: request.method ?? "", key, query: url.searchParams, headers: request.headers }
      seen.push(asked)
      const found = faults.find(({ left, when }) => left > 0 && when(asked))
      const fault = found?.fault ?? null
      if (found !== undefined) {
        found.left -= 1
        Effect.runSync(Deferred.succeed(found.reached, undefined))
        response.once("close", () => Deferred.unsafeDone(found.closed, Effect.void))
      }
      const body = await readBody(request, fault?.kind === "cut-request" ? fault.bytes : undefined)
      if (body === null) return
      const wrong = Signature.check(request, body, options)
      if (wrong !== null) return await reply(response, error(403, wrong), null)
      if (!isOurs) return await reply(response, error(404, "NoSuchBucket"), null)
      if (fault?.kind === "status") {
        const { code = "", location, status } = fault
        return await reply(
          response,
          { ...error(status, code), headers: location === undefined ? {} : { location } },
          null
        )
      }
      if (fault?.kind === "stall" && fault.bytes < 0) return await Effect.runPromise(fault.until)
      const served = serve(asked, body, fault?.kind !== "no-ranges")
      if (fault?.kind === "late-error") return await reply(response, { ...error(200, "InternalError") }, null)
      await reply(response, served, fault)
    }

    // The test's clock stands still, so the client would not retry a connection that was closed while idle.
    const endpoint = yield* Loopback.serve((request, response) => void handle(request, response), {
      keepAliveTimeout: 0
    })
    return {
      endpoint,
      objects,
      uploads,
      ages,
      seen,
      fail: (when, fault, times = 1) =>
        Effect.map(Effect.all([Deferred.make<void>(), Deferred.make<void>()]), ([reached, closed]) => {
          faults.push({ when, fault, left: times, reached, closed })
          return { reached: Deferred.await(reached), closed: Deferred.await(closed) }
        })
    }
  })
