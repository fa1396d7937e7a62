/**
 * What a front end's message is to the Gateway. A session is created with its first message. A message's id is its
 * idempotency key, so one that is sent again is stored once, and its files are.
 */
import { Effect, Encoding, Either, Option, Stream } from "effect"
import type { AssetId } from "../../../domain/Asset.js"
import { present } from "../../../domain/Present.js"
import { refOf } from "../../../domain/Run.js"
import type { SessionId } from "../../../domain/Session.js"
import { InvalidInput, type SessionNotFound } from "../../../domain/SkeinError.js"
import type { Service } from "../../../services/gateway/Gateway.js"
import { call } from "../Handlers.js"

/** A file of a message, whose content is in its address. */
interface NewFile {
  readonly url: string
  readonly mediaType: string
  readonly name: string | undefined
}

/** A message of a front end. */
export interface NewMessage {
  readonly sessionId: SessionId
  readonly id: string
  readonly text: string
  readonly files: ReadonlyArray<NewFile>
}

/** The bytes of a `data:` address; no other one is opened, since who asks would choose what this host asks for. */
const bytesOf = (url: string): Either.Either<Uint8Array, InvalidInput> => {
  const [, base64] = /^data:[^,]*;base64,([A-Za-z0-9+/=]*)$/.exec(url) ?? []
  return Either.mapLeft(
    base64 === undefined ? Either.left(null) : Encoding.decodeBase64(base64),
    () => new InvalidInput({ field: "url", limit: "a data: address in base64", actual: "another one" })
  )
}

const known = /\/v1\/sessions\/([^/?#]+)\/assets\/([^/?#]+)$/

/** The asset that an address names, if it is one of the session's own. */
const assetOf = (gateway: Service, sessionId: SessionId, url: string) => {
  const [, session, asset] = known.exec(url) ?? []
  return session !== sessionId
    ? Effect.succeedNone
    : Effect.map(gateway.assets(sessionId), (assets) => Option.fromNullable(assets.find(({ id }) => id === asset)))
}

const save = (gateway: Service, sessionId: SessionId, { mediaType, name, url }: NewFile) =>
  Effect.gen(function* () {
    const own = yield* assetOf(gateway, sessionId, url)
    const idOf = (assetId: AssetId) => ({ assetId, mediaType, ...present({ name }) })
    if (Option.isSome(own)) return idOf(own.value.id)
    const content = Stream.make(yield* bytesOf(url))
    const { id } = yield* gateway.saveAsset({ sessionId, mediaType, content, ...present({ name }) })
    return idOf(id)
  })

const sendTo = (gateway: Service, { files, id, sessionId, text }: NewMessage) =>
  Effect.gen(function* () {
    if (files.length > 0) {
      const [sent] = yield* gateway.runs({ sessionId, idempotencyKey: id })
      if (sent !== undefined) return refOf(sent)
    }
    const saved = yield* Effect.forEach(files, (file) => save(gateway, sessionId, file))
    return yield* gateway.send({ sessionId, text, files: saved, idempotencyKey: id })
  })

/** Whose session is not found is not told: one of another owner cannot be created either. */
const createdBy = (gateway: Service, sessionId: SessionId, missing: SessionNotFound) =>
  Effect.catchTag(gateway.create({ id: sessionId }), "SessionExists", () => missing)

/** Sends a message, to a new session where there is none. */
export const send = (message: NewMessage) =>
  call((gateway) =>
    sendTo(gateway, message).pipe(
      Effect.catchTag("SessionNotFound", (missing) =>
        Effect.zipRight(createdBy(gateway, message.sessionId, missing), sendTo(gateway, message))
      )
    )
  )
