/** Which processes have a database open, as far as the system tells: Linux lists the locks that SQLite takes on files. */
import { readFileSync, statSync } from "node:fs"

/** A lock: its number, kind, mode, access, process and file, as device and inode. */
const lock = /^\d+: POSIX +\S+ +\S+ +(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /gm

const pids = (path: string): ReadonlyArray<string> => {
  try {
    const inode = `${statSync(path, { bigint: true }).ino}`
    const found = [...readFileSync("/proc/locks", "utf8").matchAll(lock)]
    return [...new Set(found.flatMap(([, pid = "0", file]) => (file === inode && pid !== "0" ? [pid] : [])))]
  } catch {
    return []
  }
}

/** Returns "process 7", "processes 7, 8", or "" when none is known. */
export const named = (path: string): string => {
  const found = pids(path)
  return found.length === 0 ? "" : `${found.length === 1 ? "process" : "processes"} ${found.join(", ")}`
}
