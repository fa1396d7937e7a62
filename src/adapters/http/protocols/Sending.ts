/**
 * A front end's message as the Gateway takes it. A session is created with its first message. A message's id is its
 * idempotency key, so a message that is sent again is stored only once, and so are its files.
 */
import { Effect, Encoding, Either, Option, Stream } from "effect"
import type { AssetId } from "../../../domain/Asset.js"
import { present } from "../../../domain/Present.js"
import { refOf } from "../../../domain/Run.js"
import type { SessionId } from "../../../domain/Session.js"
import { InvalidInput, type SessionNotFound } from "../../../domain/SkeinError.js"
import type { Service } from "../../../services/gateway/Gateway.js"
import { call } from "../Handlers.js"

/** A file of a message. Its address contains its content, or names an asset of the session. */
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

/** Returns the bytes of a `data:` address. Any other address would let the client choose what this host requests. */
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

/** Does not reveal that a session belongs to another owner: then this, too, fails with `SessionNotFound`. */
const createdBy = (gateway: Service, sessionId: SessionId, missing: SessionNotFound) =>
  Effect.catchTag(gateway.create({ id: sessionId }), "SessionExists", () => missing)

/** Sends a message, to a new session if it does not exist yet. */
export const send = (message: NewMessage) =>
  call((gateway) =>
    sendTo(gateway, message).pipe(
      Effect.catchTag("SessionNotFound", (missing) =>
        Effect.zipRight(createdBy(gateway, message.sessionId, missing), sendTo(gateway, message))
      )
    )
  )
