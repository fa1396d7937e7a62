/** Where the bucket is and who asks: the settings of hosts, checked. */
import { Effect, Redacted, Schema } from "effect"
import { present } from "../../domain/Present.js"
import * as Refusal from "../../domain/Refusal.js"
import type { InvalidInput } from "../../domain/SkeinError.js"

/** A bucket, and the key that may read, write, list and delete below its prefix. */
export interface Options {
  readonly bucket: string
  /** URL of the server, such as `https://s3.eu-central-1.amazonaws.com` or `http://localhost:9000`. */
  readonly endpoint: string
  /** The region that requests are signed for, such as `eu-central-1`; other servers have a name of their own, often `auto`. */
  readonly region: string
  /** What the keys begin with, without a slash at either end. Each data folder needs its own. Defaults to "skein". */
  readonly prefix?: string | undefined
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  /** The token of temporary credentials. They are not renewed: the layer must be built again before they expire. */
  readonly sessionToken?: Redacted.Redacted | undefined
  /** Whether the bucket is in the URL's path, not in its host name. Defaults to true, which most servers take. */
  readonly pathStyle?: boolean | undefined
}

const isEndpoint = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { hash, password, protocol, search, username } = new URL(text)
  return /^https?:$/.test(protocol) && username + password + search + hash === ""
}

const isPrefix = (text: string): boolean =>
  text.length <= 256 && text.split("/").every((part) => /^[A-Za-z0-9._=-]+$/.test(part) && !/^\.\.?$/.test(part))

const pattern = (pattern: RegExp, description: string) => Schema.String.pipe(Schema.pattern(pattern, { description }))

/** What a header can carry. A final line break, as files with secrets have, is refused here and not in each request. */
const headerText = pattern(/^[\x21-\x7e]{1,8192}$/, "a text of printable ASCII characters, without spaces")

const secret = Schema.RedactedFromSelf(headerText).annotations({
  description: "a Redacted text of printable ASCII characters, without spaces"
})

const Settings = Schema.Struct({
  bucket: pattern(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "a bucket's name: 3 to 63 of a-z, 0-9, dot and hyphen"),
  endpoint: Schema.String.pipe(
    Schema.filter(isEndpoint, { description: "a URL with http or https, without user, query and fragment" })
  ),
  region: pattern(/^[A-Za-z0-9-]{1,64}$/, "a region's name: 1 to 64 letters, digits and hyphens"),
  prefix: Schema.String.pipe(
    Schema.filter(isPrefix, {
      description: "at most 256 letters, digits and any of ._=- between single slashes, no dot segments"
    })
  ),
  accessKeyId: headerText,
  secretAccessKey: secret,
  sessionToken: Schema.optional(secret),
  pathStyle: Schema.Boolean
})

export type Settings = typeof Settings.Type

const decode = Refusal.decoder(Schema.typeSchema(Settings))

export const make = (options: Options): Effect.Effect<Settings, InvalidInput> =>
  Effect.suspend(() => decode({ prefix: "skein", pathStyle: true, ...present(options) }))
