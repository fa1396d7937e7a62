/** What `skein doctor`, `skein backup` and `skein restore` print; a doctor's findings are in `Findings.ts`. Names and paths are made harmless by the caller. */

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`

const contents = (sessions: number, files: number): string =>
  `${counted(sessions, "session")} and ${counted(files, "file")}`

export const healthy = (data: string): string => `No damage found in ${data}`

export const unhealthy = (data: string, damaged: number, repairable: number): string =>
  repairable === 0
    ? `${counted(damaged, "problem")} in ${data}`
    : `${counted(damaged, "problem")} in ${data}; copy the folder, then run skein doctor --repair to repair ${repairable}`

/** Rows that could not be read, and pages of which nothing could. */
export const unread = (count: number): string =>
  `${count === 1 ? "1 row or page" : `${count} rows or pages`} could not be read`

/** `sessions` are those that have lost messages. */
export const incomplete = (data: string, lost: number, sessions: number): string => {
  const of = sessions === 0 ? "" : `; ${counted(sessions, "session")} lost messages`
  return `repaired ${data}, but ${unread(lost)}${of}; the old database is kept in aside`
}

export const backedUp = (file: string, sessions: number, files: number, size: string): string =>
  `Backed up ${contents(sessions, files)} to ${file} (${size})`

export const restored = (data: string, sessions: number, files: number): string =>
  `Restored ${contents(sessions, files)} into ${data}`

export const faultInBackup = (name: string, detail: string): string => `warning: ${name} is ${detail}`

export const faultInRestore = (name: string): string => `warning: ${name} was already damaged when it was backed up`

export const movedAside = (path: string): string => `moved what was in the way to ${path}`

export const checking = "Checking"

export const repairing = "Repairing"

export const sessions = "sessions"

export const copyingFirst = "Copying the database before its migration"

export const migrating = "Migrating the database"

export const backingUp = "Backing up"

export const restoring = "Restoring"
