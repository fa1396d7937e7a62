/** Whether a process runs, for tests. */
import { readFileSync } from "node:fs"
import { Option } from "effect"
import * as ProcessStat from "../../../../src/adapters/node/ProcessStat.js"

/** Whether a process exists and has not ended. */
export const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    if (process.platform !== "linux") return true
    return !Option.exists(ProcessStat.parse(readFileSync(`/proc/${pid}/stat`, "utf8")), ProcessStat.hasEnded)
  } catch {
    return false
  }
}
