/** Objects of a bucket: the operations of S3, by key. */
import { Effect, Option, Ref, Schedule, Stream } from "effect"
import * as Answers from "./Answers.js"
import * as Requests from "./Requests.js"
import { S3Failed } from "./Requests.js"
import type { Settings } from "./Settings.js"

export { S3Failed } from "./Requests.js"

const empty = new Uint8Array(0)

const failed = (detail: string) => new S3Failed({ detail, missing: false, isTransient: false })

export const make = (settings: Settings) => {
  const { open, send, silence, silent } = Requests.make(settings)
  const copySource = (key: string) => `/${settings.bucket}/${key.split("/").map(encodeURIComponent).join("/")}`

  const put = (key: string, body: Uint8Array<ArrayBuffer>) => Effect.asVoid(send({ method: "PUT", key, body }))

  /** Bytes of the object; none when it does not exist. */
  const size = (key: string): Effect.Effect<Option.Option<number>, S3Failed> =>
    send({ method: "HEAD", key }).pipe(
      Effect.map(({ headers }) => Option.some(Number(headers.get("content-length")))),
      Effect.catchIf(
        ({ missing }) => missing,
        () => Effect.succeedNone
      )
    )

  const remove = (key: string) => Effect.asVoid(send({ method: "DELETE", key }))

  const copy = (from: string, key: string) =>
    Effect.asVoid(
      send({ method: "PUT", key, body: empty, headers: { "x-amz-copy-source": copySource(from) }, isSlow: true })
    )

  const pages = <A, Next>(page: (after: Next | null) => Effect.Effect<Answers.Page<A, Next>, S3Failed>) =>
    Effect.gen(function* () {
      const items: Array<A> = []
      let next: Next | null = null
      do {
        const found: Answers.Page<A, Next> = yield* page(next)
        items.push(...found.items)
        // A server that returns the same continuation again, or no items, would never come to an end.
        if (found.next !== null && (found.items.length === 0 || JSON.stringify(found.next) === JSON.stringify(next)))
          return yield* failed("the store's list does not end")
        next = found.next
      } while (next !== null)
      return items
    })

  const listed = (prefix: string, after: string | null, delimiter?: "/") =>
    send({
      method: "GET",
      query: {
        "list-type": "2",
        prefix,
        ...(delimiter === undefined ? {} : { delimiter }),
        ...(after === null ? {} : { "continuation-token": after })
      }
    })

  /**
   * Returns all keys that begin with the prefix. With a delimiter, keys that contain it after the prefix are replaced
   * by their common beginning, up to the delimiter.
   */
  const list = (prefix: string, delimiter?: "/"): Effect.Effect<ReadonlyArray<string>, S3Failed> =>
    pages<string, string>((after) => Effect.map(listed(prefix, after, delimiter), ({ text }) => Answers.keys(text)))

  /** Milliseconds since the newest of these objects was written, by the server's own clock; 0 if there is none. */
  const age = (prefix: string): Effect.Effect<number, S3Failed> =>
    pages<number, string>((after) =>
      Effect.map(listed(prefix, after), ({ headers, text }) => {
        const now = Date.parse(headers.get("date") ?? "")
        return { ...Answers.keys(text), items: Answers.modified(text).map((at) => now - at) }
      })
    ).pipe(
      Effect.map((ages) => Math.min(...ages)),
      Effect.map((millis) => (Number.isFinite(millis) ? Math.max(0, millis) : 0))
    )

  /** The uploads in parts to this key that have not ended. */
  const uploads = (key: string): Effect.Effect<ReadonlyArray<string>, S3Failed> =>
    pages<Answers.Unfinished, Answers.Unfinished>((after) =>
      Effect.map(
        send({
          method: "GET",
          query: {
            uploads: "",
            prefix: key,
            ...(after === null ? {} : { "key-marker": after.key, "upload-id-marker": after.uploadId })
          }
        }),
        ({ text }) => Answers.uploads(text)
      )
    ).pipe(Effect.map((found) => found.flatMap((upload) => (upload.key === key ? [upload.uploadId] : []))))

  /** Begins an upload in parts. If the answer to a first try was lost, there is another upload that nobody knows. */
  const beginUpload = (key: string) =>
    send({ method: "POST", key, query: { uploads: "" }, body: empty }).pipe(
      Effect.map(({ text }) => Answers.text(text, "UploadId")),
      Effect.filterOrFail(
        (uploadId) => uploadId !== "",
        () => failed("the store began no upload")
      )
    )

  /** Uploads a part, from 1 on, and returns its tag. */
  const part = (key: string, uploadId: string, number: number, body: Uint8Array<ArrayBuffer>) =>
    Effect.map(
      send({ method: "PUT", key, query: { partNumber: `${number}`, uploadId }, body }),
      ({ headers }) => headers.get("etag") ?? ""
    )

  /** Makes an object from the parts. If an earlier try did it and its answer was lost, the object is there already. */
  const complete = (key: string, uploadId: string, tags: ReadonlyArray<string>, bytes: number) => {
    const parts = tags.map(
      (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${Answers.escape(tag)}</ETag></Part>`
    )
    const body = new TextEncoder().encode(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`)
    return send({ method: "POST", key, query: { uploadId }, body, isSlow: true }).pipe(
      Effect.asVoid,
      Effect.catchIf(
        ({ missing }) => missing,
        (error) =>
          Effect.flatMap(size(key), (size) => (Option.contains(size, bytes) ? Effect.void : Effect.fail(error)))
      )
    )
  }

  const abort = (key: string, uploadId: string) =>
    send({ method: "DELETE", key, query: { uploadId } }).pipe(
      Effect.asVoid,
      Effect.catchIf(
        ({ missing }) => missing,
        () => Effect.void
      )
    )

  /** Reads the body of a range, in one try. A range that begins after the object's end is empty. */
  const piece = (key: string, offset: number, length: number) =>
    Effect.gen(function* () {
      const response = yield* open({ method: "GET", key, range: `bytes=${offset}-${offset + length - 1}` })
      const { body, headers, status } = response
      const isRange = status === 206 && (headers.get("content-range") ?? "").startsWith(`bytes ${offset}-`)
      // A server that does not support ranges returns the whole object.
      if (!isRange && !(status === 200 && offset === 0)) {
        const text = yield* Effect.tryPromise({ try: () => response.text(), catch: Requests.broken })
        return status === 416 ? Stream.empty : yield* Requests.refused(status, text)
      }
      if (body === null) return Stream.empty
      return Stream.fromReadableStream<Uint8Array, S3Failed>({ evaluate: () => body, onError: Requests.broken })
    }).pipe(Stream.unwrap, Stream.timeoutFail(silent, silence))

  /** Reads at most `length` bytes from `offset` on. A body that breaks off is continued where it did. */
  const read = (key: string, offset: number, length: number): Stream.Stream<Uint8Array, S3Failed> => {
    if (length === 0) {
      return Stream.execute(
        Effect.filterOrFail(size(key), Option.isSome, () =>
          Requests.refused(404, "<Error><Code>NoSuchKey</Code></Error>")
        )
      )
    }
    return Stream.unwrap(
      Effect.map(Ref.make(0), (came) =>
        Stream.fromEffect(Ref.get(came)).pipe(
          Stream.flatMap((done) => (done === length ? Stream.empty : piece(key, offset + done, length - done))),
          Stream.mapEffect((bytes) =>
            Ref.modify(came, (done) => {
              const wanted = bytes.subarray(0, length - done)
              return [wanted, done + wanted.length]
            })
          ),
          Stream.takeUntilEffect(() => Effect.map(Ref.get(came), (done) => done === length)),
          Stream.retry(Requests.retries.pipe(Schedule.whileInput(({ isTransient }: S3Failed) => isTransient)))
        )
      )
    )
  }

  return { put, size, remove, copy, list, age, uploads, beginUpload, part, complete, abort, read }
}

export type Bucket = ReturnType<typeof make>
