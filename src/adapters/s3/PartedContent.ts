/**
 * Writes an object whose size is not known before its end. A small one is one request; a larger one is uploaded in
 * parts of 8 MiB, so that memory holds no more than one part and the copy of it that is being sent.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { S3Failed } from "./Requests.js"
import type { Bucket } from "./Bucket.js"

const partBytes = 8 * 1024 * 1024

/** The most that one copy within a bucket can move. */
export const mostBytes = 5 * 1024 * 1024 * 1024

interface Written {
  /** Waits while a part is uploaded. */
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, S3Failed>
  /** Makes the object from what was appended. */
  readonly finish: Effect.Effect<void, S3Failed>
}

/** `begins` runs before uploads in parts are begun. Closing the scope aborts an upload that has not ended. */
export const make = (
  bucket: Bucket,
  key: string,
  begins: Effect.Effect<void>
): Effect.Effect<Written, never, Scope.Scope> =>
  Effect.gen(function* () {
    let buffer = new Uint8Array(0)
    let used = 0
    let total = 0
    let upload: { readonly id: string; readonly tags: Array<string> } | null = null

    /** Doubles, up to a part: most contents are small. */
    const grow = (needed: number) => {
      if (needed <= buffer.length) return
      const larger = new Uint8Array(Math.min(partBytes, Math.max(needed, 2 * buffer.length, 64 * 1024)))
      larger.set(buffer.subarray(0, used))
      buffer = larger
    }

    const sendPart = Effect.gen(function* () {
      yield* begins
      upload ??= { id: yield* bucket.beginUpload(key), tags: [] }
      upload.tags.push(yield* bucket.part(key, upload.id, upload.tags.length + 1, buffer.subarray(0, used)))
      used = 0
    })

    const append = Effect.fnUntraced(function* (bytes: Uint8Array) {
      total += bytes.length
      if (total > mostBytes) {
        return yield* new S3Failed({ detail: "it is larger than 5 GiB", missing: false, isTransient: false })
      }
      let taken = 0
      while (taken < bytes.length) {
        const piece = bytes.subarray(taken, taken + partBytes - used)
        grow(used + piece.length)
        buffer.set(piece, used)
        used += piece.length
        taken += piece.length
        if (used === partBytes) yield* sendPart
      }
    })

    const finish = Effect.gen(function* () {
      if (upload === null) return yield* bucket.put(key, buffer.subarray(0, used))
      if (used > 0) yield* sendPart
      yield* bucket.complete(key, upload.id, upload.tags, total)
      upload = null
    })

    yield* Effect.addFinalizer(() =>
      upload === null ? Effect.void : Effect.ignoreLogged(bucket.abort(key, upload.id))
    )
    return { append, finish }
  })
