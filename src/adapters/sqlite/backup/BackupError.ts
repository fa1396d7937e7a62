/** The errors of `backup` and `restore`, besides those of the database itself. */
import { Schema } from "effect"

/** No backup was made, and nothing is left of it. */
export class BackupFailed extends Schema.TaggedError<BackupFailed>()("BackupFailed", {
  path: Schema.String,
  reason: Schema.Literal("exists", "no-database", "no-folder", "unreadable", "not-written", "changing"),
  detail: Schema.String
}) {
  override get message() {
    switch (this.reason) {
      case "exists":
        return `${this.path} already exists; a backup never overwrites a file`
      case "no-database":
        return `Nothing to back up: no database at ${this.path}`
      case "no-folder":
        return `Cannot back up into ${this.path}: ${this.detail}`
      case "unreadable":
        return `Cannot back up ${this.path}: ${this.detail}`
      case "not-written":
        return `Cannot write the backup ${this.path}: ${this.detail}`
      case "changing":
        return `Cannot back up: assets were deleted faster than they were read (${this.detail})`
    }
  }
}

/** The backup was made, but an older one that should have been removed is still there. */
export class RemovalFailed extends Schema.TaggedError<RemovalFailed>()("RemovalFailed", {
  path: Schema.String,
  made: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Backed up to ${this.made}, but the older backup ${this.path} cannot be removed: ${this.detail}`
  }
}

const salvage = "add --damaged to restore what can be read of it"

/** Nothing was restored, and the data folder is as it was. */
export class RestoreFailed extends Schema.TaggedError<RestoreFailed>()("RestoreFailed", {
  path: Schema.String,
  reason: Schema.Literal(
    "occupied",
    "no-file",
    "not-a-backup",
    "newer-version",
    "damaged",
    "beyond-salvage",
    "not-written"
  ),
  detail: Schema.String
}) {
  override get message() {
    switch (this.reason) {
      case "occupied":
        return `A database already exists, ${this.path}; nothing was restored. Restore into another folder (--data), or move the database away first`
      case "no-file":
        return `Cannot read the backup ${this.path}: ${this.detail}`
      case "not-a-backup":
        return `${this.path} is not a backup made by skein backup`
      case "newer-version":
        return `The backup ${this.path} was made by a newer version of Skein${this.detail === "" ? "" : ` (${this.detail})`}; nothing was restored`
      case "damaged":
        return `The backup ${this.path} is damaged; nothing was restored: ${this.detail}; ${salvage}`
      case "beyond-salvage":
        return `The backup ${this.path} is damaged, and no session of it can be read; nothing was restored: ${this.detail}`
      case "not-written":
        return `Cannot restore into ${this.path}: ${this.detail}`
    }
  }
}
