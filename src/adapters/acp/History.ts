/**
 * What an editor is told of a session's transcript besides its entries: how calls are shown, and the images of messages.
 */
import { Effect, Encoding, Stream } from "effect"
import { type CallId, type Entry, filesOf } from "../../domain/Message.js"
import type { CallDisplay } from "../../domain/CallDisplay.js"
import type { Seq, SessionId } from "../../domain/Session.js"
import type { Service } from "../../services/gateway/Gateway.js"
import * as Updates from "./Updates.js"

/** Bytes of an image that is told; larger ones are left out. */
const largest = 8 * 1024 * 1024

const imageOf = (gateway: Service, sessionId: SessionId, file: ReturnType<typeof filesOf>[number]) =>
  gateway.openAsset({ sessionId, assetId: file.assetId, length: largest + 1 }).pipe(
    Stream.runCollect,
    Effect.map((pieces) => {
      const bytes = Buffer.concat([...pieces])
      return bytes.length > largest ? [] : [{ data: Encoding.encodeBase64(bytes), mimeType: file.mediaType }]
    }),
    // A file may have been deleted since.
    Effect.orElseSucceed(() => [])
  )

const isImage = ({ mediaType }: { readonly mediaType: string }) => mediaType.startsWith("image/")

/** Returns the updates for entries of a session. `displays` is how its calls are shown. */
export const make =
  (gateway: Service, sessionId: SessionId, displays: Updates.Displays = new Map()) =>
  (entry: Entry) =>
    Effect.map(
      entry.message.role === "user"
        ? Effect.forEach(filesOf(entry.message).filter(isImage), (file) => imageOf(gateway, sessionId, file))
        : Effect.succeed([]),
      (images) => Updates.ofEntry(entry, { displays, images: images.flat() })
    )

/** How the calls up to a place are shown. */
export const displaysOf = (gateway: Service, sessionId: SessionId, to: Seq) =>
  Stream.runFold(gateway.timeline({ sessionId, to }), new Map<CallId, CallDisplay>(), (all, row) =>
    row.type === "call" ? all.set(row.callId, row.display) : all
  )
