/**
 * A value with its JSON text, within its limit. Only this file makes such values, so code that takes one neither checks
 * nor encodes it again: the text is what is stored, and what is hashed.
 */
import { Either } from "effect"
import type { InPieces } from "./InPieces.js"
import type { JsonRecord } from "./Json.js"
import * as Limits from "./Limits.js"
import type { Message } from "./Message.js"
import type { InvalidInput } from "./SkeinError.js"

/** How much of a list is checked in one piece. */
const portion = { messages: 500, characters: 512 * 1024 }

/** Returns what is stored for a message; a message of an unknown role stays as it was. */
const storedForm = (message: Message): unknown => (message.role === "other" ? message.stored : message)

/** A value that was checked against the limits, with its JSON. Only the checks here make one. */
export class Checked<out A> {
  private constructor(
    readonly value: A,
    /** The value as JSON. */
    readonly json: string
  ) {}

  static readonly noMetadata: Checked<JsonRecord> = new Checked({}, "{}")

  /** Fails when a message has no JSON form, or one with more bytes or values than the limits. The refusal names `field`. */
  static message<M extends Message>(
    message: M,
    { messageBytes }: Limits.Limits,
    field = "message"
  ): Either.Either<Checked<M>, InvalidInput> {
    return Either.map(Limits.message(field, storedForm(message), messageBytes), (json) => new Checked(message, json))
  }

  /** Checks each message of a list in the same way. A refusal names the message's index. */
  static *messages<M extends Message>(
    messages: ReadonlyArray<M>,
    limits: Limits.Limits
  ): InPieces<Either.Either<ReadonlyArray<Checked<M>>, InvalidInput>> {
    const all: Array<Checked<M>> = []
    let done = { messages: 0, characters: 0 }
    for (const message of messages) {
      if (done.messages >= portion.messages || done.characters >= portion.characters) {
        yield
        done = { messages: 0, characters: 0 }
      }
      const checked = Checked.message(message, limits, `messages.${all.length}`)
      if (Either.isLeft(checked)) return Either.left(checked.left)
      all.push(checked.right)
      done.messages++
      done.characters += checked.right.json.length
    }
    if (done.characters >= portion.characters) yield
    return Either.right(all)
  }

  /** Fails when metadata has no JSON form, or one with more bytes than the limit. */
  static metadata(
    metadata: JsonRecord,
    { metadataBytes }: Limits.Limits
  ): Either.Either<Checked<JsonRecord>, InvalidInput> {
    return Either.map(Limits.json("metadata", metadata, metadataBytes), (json) => new Checked(metadata, json))
  }

  /** Fails when the JSON Schema of an answer has no JSON form, or one with more bytes than metadata may have. */
  static output(
    schema: JsonRecord,
    { metadataBytes }: Limits.Limits
  ): Either.Either<Checked<JsonRecord>, InvalidInput> {
    return Either.map(Limits.json("output", schema, metadataBytes), (json) => new Checked(schema, json))
  }
}
