/** A file that belongs to a session: kept next to the database, named by id in messages. */
import { Schema } from "effect"
import type { Named } from "./Named.js"
import { id } from "./Id.js"
import { SessionId } from "./Session.js"
import { Timestamp } from "./Timestamp.js"

/** Identifies a file of a session. */
export const AssetId = id("AssetId")
export type AssetId = typeof AssetId.Type

/** `type/subtype`, lower case, without parameters. */
export const MediaType = Schema.String.pipe(Schema.pattern(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/))

/** A file of a session, without its content. */
export const Asset = Schema.Struct({
  id: AssetId,
  sessionId: SessionId,
  /** The name that the caller gave the file; never used as a path. */
  name: Schema.NullOr(Schema.String),
  /** Matches `MediaType`, unless another version of Skein stored it. */
  mediaType: Schema.String,
  /** Bytes. */
  size: Schema.NonNegativeInt,
  /** SHA-256 of the content, lower-case hex. */
  sha256: Schema.String,
  createdAt: Timestamp
}).annotations({ identifier: "Asset" })
export type Asset = Named<typeof Asset.Type>
