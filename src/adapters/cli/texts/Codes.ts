/** Codes of the system and of SQLite in words. The code stays beside them, to be searched for. */

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
  [/^EEXIST$/, "it exists already"],
  [/^ENOTEMPTY$/, "the folder is not empty"],
  [/^ELOOP$/, "too many symbolic links"],
  [/^ENAMETOOLONG$/, "the name is too long"],
  [/^(EMFILE|ENFILE)$/, "too many open files"],
  [/^EFBIG$/, "the file would be too large"],
  [/^EXDEV$/, "it is on another disk"],
  [/^(ENOMEM|SQLITE_NOMEM)$/, "not enough memory"],
  [/^EBUSY$/, "it is in use"],
  [/^(SQLITE_BUSY|SQLITE_LOCKED)/, "another process has locked the database"],
  [/^SQLITE_CORRUPT/, "the database is damaged"],
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
