/** What the command says when this process or this host has run out of something. */

/** `most` is how many this process may have; null if that is unknown. */
export const files = (most: number | null): string =>
  `too many open files, EMFILE; ${most === null ? "raise the limit" : `this process may have ${most}: raise the limit`}, such as with ulimit -n 4096`

export const filesOfHost =
  "too many open files on this host, ENFILE; end other programs, or raise its limit (fs.file-max)"

export const processes = "no more processes can be started, EAGAIN; end other programs, or raise the limit (ulimit -u)"

export const refused = (operation: string, path: string, code: string): string =>
  `the system does not ${operation}${path === "" ? "" : ` ${path}`}: ${code}`
