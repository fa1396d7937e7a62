/** What `backup` and `restore` fail with beyond the errors of the database itself. */
import { Schema } from "effect"

/** A backup was not made. Nothing is left of it. */
export class BackupFailed extends Schema.TaggedError<BackupFailed>()("BackupFailed", {
  path: Schema.String,
  reason: Schema.Literal("exists", "no-database", "not-written", "changing"),
  detail: Schema.String
}) {
  override get message() {
    if (this.reason === "exists") return `There is a file ${this.path} already; a backup overwrites nothing`
    if (this.reason === "no-database") return `There is nothing to back up: no database at ${this.path}`
    if (this.reason === "changing")
      return `Cannot back up: assets were deleted faster than they were read (${this.detail})`
    return `Cannot write the backup ${this.path}: ${this.detail}`
  }
}

/** Nothing was restored, and the data folder is as it was. */
export class RestoreFailed extends Schema.TaggedError<RestoreFailed>()("RestoreFailed", {
  path: Schema.String,
  reason: Schema.Literal("occupied", "no-file", "not-a-backup", "newer-version", "damaged", "not-written"),
  detail: Schema.String
}) {
  override get message() {
    switch (this.reason) {
      case "occupied":
        return `There is a database already, ${this.path}; nothing was restored. Restore into another folder (--data), or move it away first`
      case "no-file":
        return `Cannot read the backup ${this.path}: ${this.detail}`
      case "not-a-backup":
        return `${this.path} is no backup made by skein backup`
      case "newer-version":
        return `The backup ${this.path} was made by a newer version of Skein: ${this.detail}`
      case "damaged":
        return `The backup ${this.path} is damaged, nothing was restored: ${this.detail}`
      case "not-written":
        return `Cannot restore into ${this.path}: ${this.detail}`
    }
  }
}
