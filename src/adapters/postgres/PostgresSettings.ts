/** The settings of a PostgreSQL storage, as hosts pass them, with their ranges and defaults. */
import { Effect, Redacted, Schema } from "effect"
import { present } from "../../domain/Present.js"
import * as Refusal from "../../domain/Refusal.js"
import * as DatabaseUrl from "./DatabaseUrl.js"

const description = (description: string) => ({ description })

const Settings = Schema.Struct({
  url: Schema.RedactedFromSelf(
    Schema.String.pipe(Schema.filter((url) => DatabaseUrl.fault(url) === null, description("a URL of a database")))
  ).annotations(
    description(
      "a Redacted URL that begins with postgres://, with / ? # @ and % of a password written as %2F %3F %23 %40 %25"
    )
  ),
  schema: Schema.String.pipe(
    Schema.pattern(/^[a-z_][a-z0-9_]{0,47}$/, description("a name: 1 to 48 of a-z, 0-9 and _, no digit first"))
  ),
  lanes: Schema.Int.pipe(Schema.between(1, 16, description("a whole number from 1 to 16"))),
  readers: Schema.Int.pipe(Schema.between(1, 64, description("a whole number from 1 to 64")))
})

const usualSchema = "skein"

const decode = Refusal.decoder(Schema.typeSchema(Settings))

export interface Asked {
  readonly url: Redacted.Redacted
  readonly schema?: string | undefined
  readonly lanes?: number | undefined
  readonly readers?: number | undefined
}

/**
 * Returns the settings, completed with defaults. The schema may also be named by the URL, as `?schema=NAME`. Fails with
 * `InvalidInput` for a setting that is out of range.
 */
export const checked = (asked: Asked) =>
  Effect.gen(function* () {
    const settings = yield* decode({ schema: usualSchema, lanes: 2, readers: 4, ...present(asked) })
    const { schema, url } = DatabaseUrl.parts(Redacted.value(settings.url))
    if (schema === null) return settings
    return yield* decode({ ...settings, url: Redacted.make(url), schema: asked.schema ?? schema })
  })
