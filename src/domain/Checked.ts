/**
 * A value with its JSON text, within its limit. Only this file makes one, so whoever takes one need not check it, and
 * encodes nothing again: the text is what is stored, and what is hashed.
 */
import { Either } from "effect"
import type { InPieces } from "./InPieces.js"
import type { JsonRecord } from "./Json.js"
import * as Limits from "./Limits.js"
import type { Message } from "./Message.js"
import type { InvalidInput } from "./SkeinError.js"

/** How much of a list is checked in one piece. */
const portion = { messages: 500, characters: 512 * 1024 }

/** What is stored of a message: one of an unknown role as it was. */
const storedForm = (message: Message): unknown => (message.role === "other" ? message.stored : message)

/** A value that was held against the limits, with its JSON. Only checks make one. */
export class Checked<out A> {
  private constructor(
    readonly value: A,
    /** The value as JSON. */
    readonly json: string
  ) {}

  static readonly noMetadata: Checked<JsonRecord> = new Checked({}, "{}")

  /** Fails when a message has no JSON, or more bytes of it than the limit. `field` is what the refusal names. */
  static message<M extends Message>(
    message: M,
    { messageBytes }: Limits.Limits,
    field = "message"
  ): Either.Either<Checked<M>, InvalidInput> {
    return Either.map(Limits.json(field, storedForm(message), messageBytes), (json) => new Checked(message, json))
  }

  /** The same for each of a list. The refusal of one names its place. */
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

  /** Fails when metadata have no JSON, or more bytes of it than the limit. */
  static metadata(
    metadata: JsonRecord,
    { metadataBytes }: Limits.Limits
  ): Either.Either<Checked<JsonRecord>, InvalidInput> {
    return Either.map(Limits.json("metadata", metadata, metadataBytes), (json) => new Checked(metadata, json))
  }

  /** Fails when the JSON Schema of an answer has no JSON, or more bytes of it than metadata may have. */
  static output(
    schema: JsonRecord,
    { metadataBytes }: Limits.Limits
  ): Either.Either<Checked<JsonRecord>, InvalidInput> {
    return Either.map(Limits.json("output", schema, metadataBytes), (json) => new Checked(schema, json))
  }
}
