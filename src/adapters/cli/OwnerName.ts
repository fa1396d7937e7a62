/** The value of `--owner`: the user that sessions belong to. */
import { Effect, Schema } from "effect"
import { Owner } from "../../domain/Session.js"
import { InvalidInput } from "../../domain/SkeinError.js"

/** Undefined without one. */
export const read = (text: string | null): Effect.Effect<Owner | undefined, InvalidInput> =>
  text === null
    ? Effect.succeed(undefined)
    : Effect.mapError(
        Schema.decodeUnknown(Owner)(text),
        () => new InvalidInput({ field: "--owner", limit: "must be 1 to 256 characters", actual: `${text.length}` })
      )
