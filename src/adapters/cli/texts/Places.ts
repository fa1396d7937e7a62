/** Texts about the place that has the sessions. */

export const onePlace = "--data and --database cannot be used together"

const faults = {
  scheme: "takes a URL such as postgres://USER@HOST:5432/DATABASE",
  form: "is not a usable URL; in a password, write / ? # @ % as %2F %3F %23 %40 %25"
}

/** Never contains the URL, which may have a password. */
export const databaseUrl = (field: string, fault: keyof typeof faults): string => `${field} ${faults[fault]}`

export const placementForm = "must be 1 to 64 characters of A-Z a-z 0-9 . _ -"

export const another = "something else"

export const elsewhere = (session: string, placement: string): string =>
  `session ${session} can only continue where its folder is, on ${placement}; if that is this host, set SKEIN_PLACEMENT=${placement}`

export const noBackup =
  "a PostgreSQL database is backed up with its own tools, such as pg_dump; skein export writes its sessions to a file"

export const noRestore =
  "a PostgreSQL database is restored with its own tools, such as pg_restore; skein import reads what skein export wrote"
