/**
 * What `skein doctor`, `skein backup` and `skein restore` print. A doctor's findings are in `Findings.ts`. Names and
 * paths are made harmless by the caller.
 */
import { counted } from "../../../domain/Amounts.js"

interface Lost {
  readonly messages: number
  readonly files: number
  /** Rows and pages of unknown origin. */
  readonly rows: number
}

const contents = (sessions: number, files: number): string =>
  `${counted(sessions, "session")} and ${counted(files, "file")}`

export const healthy = (data: string): string => `No damage found in ${data}`

export const unhealthy = (path: string, what: "folder" | "database", damaged: number, repairable: number): string =>
  repairable === 0
    ? `${counted(damaged, "problem")} in ${path}`
    : `${counted(damaged, "problem")} in ${path}; copy the ${what}, then run skein doctor --repair to repair ${repairable}`

/** Rows that could not be read, and pages that could not be read at all. */
export const unread = (count: number): string =>
  `${count === 1 ? "1 row or page" : `${count} rows or pages`} could not be read`

/** `sessions` are those that have lost messages. */
export const incomplete = (data: string, lost: number, sessions: number): string => {
  const of = sessions === 0 ? "" : `; ${counted(sessions, "session")} lost messages`
  return `repaired ${data}, but ${unread(lost)}${of}; the old database was moved to aside`
}

export const backedUp = (file: string, sessions: number, files: number, size: string): string =>
  `Backed up ${contents(sessions, files)} to ${file} (${size})`

export const restored = (data: string, sessions: number, files: number): string =>
  `Restored ${contents(sessions, files)} into ${data}`

export const nameAFile = (path: string): string =>
  `${path} is a folder; name a file in it, or add --keep COUNT to have it named after the time`

export const fault = (session: string, name: string, detail: string): string =>
  `damage   session ${session}: ${name} is ${detail}`

export const damage = (text: string): string => `damage   ${text}`

export const repaired = (text: string): string => `repaired ${text}`

export const more = (count: number): string => `         and ${count} more`

export const damagedBackup = (problems: number, removesOlder: boolean): string =>
  [
    `the backed-up data has ${counted(problems, "problem")}`,
    ...(removesOlder ? ["no older backup was removed"] : []),
    "skein doctor shows the repairs; restore this backup with skein restore --damaged"
  ].join("; ")

export const removed = (count: number): string => `Removed ${counted(count, "older backup")}`

const amounts = (messages: number, files: number, rows: number): string =>
  [
    ...(messages > 0 ? [counted(messages, "message")] : []),
    ...(files > 0 ? [counted(files, "file")] : []),
    ...(rows > 0 ? [counted(rows, "row")] : [])
  ].join(" and ") || "nothing"

export const kept = (
  session: string,
  { files, lost, messages }: { readonly messages: number; readonly files: number; readonly lost: Lost }
): string =>
  `session ${session}: kept ${amounts(messages, files, 0)}, lost ${amounts(lost.messages, lost.files, lost.rows)}`

interface InPart {
  readonly data: string
  readonly lost: Lost
  readonly damaged: number
  readonly isExact: boolean
}

export const restoredInPart = ({ damaged, data, isExact, lost }: InPart): string => {
  const all = lost.messages + lost.files + lost.rows
  const what = [
    ...(all > 0
      ? [`${amounts(lost.messages, lost.files, lost.rows)} of the damaged backup ${all === 1 ? "is" : "are"} lost`]
      : []),
    ...(damaged > 0 ? [`${counted(damaged, "problem")} could not be repaired`] : []),
    ...(isExact ? [] : ["its database has other bytes than were backed up: what is kept may differ, too"])
  ]
  return `restored into ${data}, but ${what.join(", and ")}`
}

export const movedAside = (path: string): string => `moved what was in the way to ${path}`

export const checking = "Checking"

export const repairing = "Repairing"

export const sessions = "sessions"

export const copyingFirst = "Copying the database before its migration"

export const migrating = "Migrating the database"

export const copiedFirst = (path: string): string => `the database was migrated; as it was before, it is in ${path}`

export const backingUp = "Backing up"

export const restoring = "Restoring"
