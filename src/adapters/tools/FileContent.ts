/**
 * The content of an opened file, in bounded memory whatever its size: bytes piece by piece, lines block by block, or
 * whole up to a limit. A file with a NUL byte in its first 64 KiB is binary and refused as text.
 */
import { Effect, Option, Stream } from "effect"
import { createHash } from "node:crypto"
import * as ImageHeader from "../../domain/ImageHeader.js"
import { refusalOf, refuse } from "./FileErrors.js"
import type { FileRefused } from "./FileErrors.js"
import * as Lines from "./Lines.js"
import * as PathText from "./PathText.js"
import { attempt, attemptLong, useChild } from "./WorkspaceFiles.js"
import type { OpenFile, OpenFolder, Workspace } from "./WorkspaceFiles.js"

const pieceBytes = 64 * 1024

/** The bytes from the handle's position on. */
const pieces = (file: OpenFile): Stream.Stream<Uint8Array, FileRefused> =>
  Stream.repeatEffectOption(
    attempt(file.printed, () => file.handle.read({ buffer: Buffer.allocUnsafe(pieceBytes) })).pipe(
      Effect.mapError(Option.some),
      Effect.flatMap(({ buffer, bytesRead }) =>
        bytesRead === 0 ? Effect.fail(Option.none()) : Effect.succeed(buffer.subarray(0, bytesRead))
      )
    )
  )

/** Whether there is a NUL byte in the first 64 KiB. */
export const isBinary = (bytes: Uint8Array): boolean => bytes.subarray(0, pieceBytes).includes(0)

const refuseBinary = (file: OpenFile, first: Uint8Array): Effect.Effect<Uint8Array, FileRefused> =>
  isBinary(first) ? Effect.fail(refuse(file.printed, "binary")) : Effect.succeed(first)

/**
 * The lines of a text file. Bytes that are not valid UTF-8 become U+FFFD, a byte order mark is dropped, and a line is
 * cut after `Lines.maxCharacters`.
 */
export const lines = (file: OpenFile): Stream.Stream<Lines.Block, FileRefused> => linesIn(file, pieces(file))

/** The lines of a file that was read whole. */
export const linesOf = (file: OpenFile, bytes: Uint8Array): Stream.Stream<Lines.Block, FileRefused> =>
  linesIn(file, Stream.make(bytes))

const linesIn = (file: OpenFile, content: Stream.Stream<Uint8Array, FileRefused>) =>
  Stream.suspend(() => {
    const decoder = new TextDecoder()
    const texts = content.pipe(
      Stream.mapAccumEffect(true, (isFirst, piece) =>
        Effect.map(isFirst ? refuseBinary(file, piece) : Effect.succeed(piece), (checked) => [false, checked])
      ),
      Stream.map((piece) => Option.some(decoder.decode(piece, { stream: true })))
    )
    const end = Stream.suspend(() => Stream.make(Option.some(decoder.decode()), Option.none<string>()))
    return Stream.concat(texts, end).pipe(
      Stream.mapAccum(Lines.start, Lines.push),
      Stream.filter(({ lines }) => lines.length > 0)
    )
  })

/** The first bytes of a file: enough to tell a picture from a text that begins like one. */
const lookBytes = 4 * 1024

/**
 * The picture that a file holds, by its content. Null when it holds none; the handle's position has not moved then.
 * Fails with `too-large` when it has more than `limit` bytes and with `binary` when its header is damaged.
 */
export const picture = Effect.fn("FileContent.picture")(function* (file: OpenFile, limit: number) {
  const { buffer, bytesRead } = yield* attempt(file.printed, () =>
    file.handle.read({ buffer: Buffer.allocUnsafe(lookBytes), position: 0 })
  )
  const head = buffer.subarray(0, bytesRead)
  if (ImageHeader.typeOf(head) === null || !head.includes(0)) return null
  const content = yield* readWhole(file, limit)
  const header = ImageHeader.read(content)
  return header === null || header === "incomplete" ? yield* refuse(file.printed, "binary") : { ...header, content }
})

const smallBytes = 256 * 1024
export const filesAtOnce = 16

/** A file's text, or why it is missing here: `Large` must be read with `lines`, `None` is no longer a file. */
export type Small =
  | { readonly _tag: "Text"; readonly name: string; readonly text: string }
  | { readonly _tag: "Large"; readonly name: string }
  | { readonly _tag: "Binary"; readonly name: string }
  | { readonly _tag: "None" }
  | { readonly _tag: "Unreadable"; readonly name: string }

const none: Small = { _tag: "None" }

/**
 * Whether a file that a folder listed exists but cannot be read. False when it is gone, no longer a file, or binary.
 */
export const isUnreadable = ({ reason }: FileRefused): boolean =>
  !["not-found", "link", "not-a-file", "binary"].includes(reason)

const readIfSmall = async (name: string, opened: OpenFile | OpenFolder): Promise<Small> => {
  if (opened._tag === "Folder") return none
  if (opened.stats.size > BigInt(smallBytes)) return { _tag: "Large", name }
  const { buffer, bytesRead } = await opened.handle.read({ buffer: Buffer.allocUnsafe(Number(opened.stats.size)) })
  const bytes = buffer.subarray(0, bytesRead)
  return isBinary(bytes) ? { _tag: "Binary", name } : { _tag: "Text", name, text: new TextDecoder().decode(bytes) }
}

/** Reads the small ones of a folder's files, all at the same time, in the order of `names`: at most `filesAtOnce`. */
export const readSmall = (
  workspace: Workspace,
  folder: OpenFolder,
  names: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Small>, FileRefused> =>
  attemptLong(PathText.print(folder.relative), () =>
    Promise.all(
      names.map((name) =>
        useChild(workspace, folder, name, (opened) => readIfSmall(name, opened)).catch((cause: unknown): Small =>
          isUnreadable(refusalOf(name, cause)) ? { _tag: "Unreadable", name } : none
        )
      )
    )
  )

/** The first bytes of a file: all of it when it holds at most `limit`, else at most one piece more than `limit`. */
export const readStart = (file: OpenFile, limit: number): Effect.Effect<Uint8Array, FileRefused> =>
  pieces(file).pipe(
    Stream.runFoldWhile(
      { parts: Array.of<Uint8Array>(), bytes: 0 },
      ({ bytes }) => bytes <= limit,
      ({ parts, bytes }, piece) => ({ parts: [...parts, piece], bytes: bytes + piece.length })
    ),
    Effect.map(({ parts }) => Buffer.concat(parts))
  )

/** The whole file. Fails with `too-large` when it holds more than `limit` bytes. */
export const readWhole = Effect.fn("FileContent.readWhole")(function* (file: OpenFile, limit: number) {
  if (file.stats.size > BigInt(limit)) return yield* refuse(file.printed, "too-large")
  const bytes = yield* readStart(file, limit)
  return bytes.length > limit ? yield* refuse(file.printed, "too-large") : bytes
})

/** Decodes bytes as text and keeps a byte order mark. Fails when they are binary or not valid UTF-8. */
export const textOf = (printed: string, bytes: Uint8Array): Effect.Effect<string, FileRefused> =>
  bytes.includes(0)
    ? Effect.fail(refuse(printed, "binary"))
    : Effect.try({
        try: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
        catch: () => refuse(printed, "not-text")
      })

/** The bytes of a text. Fails when it holds half a surrogate pair. */
export const bytesOf = (printed: string, text: string): Effect.Effect<Uint8Array, FileRefused> =>
  /\p{Surrogate}/u.test(text)
    ? Effect.fail(refuse(printed, "not-text"))
    : Effect.sync(() => new TextEncoder().encode(text))

/** The SHA-256 hash that identifies a content. */
export const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
