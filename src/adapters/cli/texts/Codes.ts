/**
 * Codes of the system, of SQLite and of PostgreSQL in words. The code stays next to the words, for searches.
 */

const words: ReadonlyArray<readonly [code: RegExp, text: string]> = [
  [/^(ENOSPC|SQLITE_FULL|SQLITE_IOERR_SHMSIZE)$/, "the disk is full"],
  [/^EDQUOT$/, "the disk quota is used up"],
  [/^(EROFS|SQLITE_READONLY)/, "the disk or the folder is read-only"],
  [/^(EACCES|EPERM|SQLITE_PERM|SQLITE_AUTH)$/, "permission denied"],
  [/^SQLITE_CANTOPEN/, "the file or its folder cannot be opened"],
  [/^(EIO|SQLITE_IOERR)/, "the disk failed to read or write"],
  [/^ENOENT$/, "no such file or folder"],
  [/^ENOTDIR$/, "a part of the path is not a folder"],
  [/^EISDIR$/, "it is a folder"],
  [/^EEXIST$/, "it already exists"],
  [/^ENOTEMPTY$/, "the folder is not empty"],
  [/^ELOOP$/, "too many symbolic links"],
  [/^ENAMETOOLONG$/, "the name is too long"],
  [/^EMFILE$/, "too many open files, see ulimit -n"],
  [/^ENFILE$/, "too many open files on this host"],
  [/^EFBIG$/, "the file would be too large"],
  [/^EXDEV$/, "it is on another disk"],
  [/^(ENOMEM|SQLITE_NOMEM)$/, "not enough memory"],
  [/^EBUSY$/, "it is in use"],
  [/^(SQLITE_BUSY|SQLITE_LOCKED)/, "another process has locked the database"],
  [/^SQLITE_CORRUPT/, "the database is damaged"],
  [/^SQLITE_ERROR/, "the database is not in the expected form"],
  [/^SQLITE_(CONSTRAINT|MISMATCH)/, "stored rows contradict each other"],
  [/^SQLITE_NOTADB$/, "it is not a database"],
  [/^SQLITE_SCHEMA$/, "another process has changed the database"],
  [/^ECONNREFUSED$/, "connection refused"],
  [/^(ENOTFOUND|EAI_AGAIN)$/, "unknown host"],
  [/^ETIMEDOUT$/, "no answer in time"]
]

const code = /\b(?:E[A-Z]{2,}|SQLITE_[A-Z_]+|EAI_AGAIN)\b/g

/** The text with words before each known code. */
export const explain = (text: string): string =>
  text.replace(code, (code) => {
    const [, found] = words.find(([pattern]) => pattern.test(code)) ?? []
    return found === undefined ? code : `${found}, ${code}`
  })

const ofDamage = /\bSQLITE_(?:CORRUPT|ERROR|NOTADB|FORMAT|CONSTRAINT|MISMATCH)(?:_[A-Z_]+)?\b/

/** Whether a text has a code of SQLite that a sound database does not give: a doctor shows what is wrong with it. */
export const tellsDamage = (text: string): boolean => ofDamage.test(text)

const ofDatabases: ReadonlyArray<readonly [code: RegExp, text: string]> = [
  [/^28P01$/, "wrong password"],
  [/^28[0-9A-Z]{3}$/, "the server does not accept this user"],
  [/^3D000$/, "there is no such database"],
  [/^42501$/, "permission denied"],
  [/^53100$/, "the server's disk is full"],
  [/^53300$/, "the server has no free connections left"],
  [/^57P0[1-3]$/, "the server is starting or stopping"],
  [/^57014$/, "it took too long"],
  [/^(42P01|42703|3F000)$/, "a table, a column or the schema is missing"],
  [/^XX00[12]$/, "the database is damaged"],
  [/^25006$/, "the server is read-only"],
  [/^CONNECTION_LOST$/, "the connection was lost"],
  [/^INVALID_URL$/, "not a usable URL"],
  [/^NO_PASSWORD$/, "the server asks for a password: see PGPASSWORD and ~/.pgpass"],
  [/^NO_TLS$/, "the server does not encrypt connections"],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, "the server's certificate is for another host"],
  [/^UNABLE_TO_|CERT/, "the server's certificate is not trusted: see sslrootcert"]
]

/** The same for a code that a database, or a connection to it, has failed with. */
export const ofDatabase = (code: string): string => {
  const [, found] = ofDatabases.find(([pattern]) => pattern.test(code)) ?? []
  return found === undefined ? code : `${found}, ${code}`
}
