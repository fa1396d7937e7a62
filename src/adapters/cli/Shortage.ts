/**
 * What this process or this host has run out of, where an error that nobody expected says so: files, processes, memory, or
 * a disk that works. Such an error is no fault of the program. Nothing more is loaded for it: a file that cannot be opened
 * may be one of the program's own.
 */
import * as Codes from "./texts/Codes.js"
import * as Texts from "./texts/Shortages.js"

/** How many files this process may have open; null if that is unknown or without a limit. */
const mostFiles = (): number | null => {
  const report: unknown = process.report.getReport()
  const limits = fieldOf(fieldOf(report, "userLimits"), "open_files")
  const soft = fieldOf(limits, "soft")
  return typeof soft === "number" ? soft : null
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined

const textIn = (value: unknown, name: string): string => {
  const found = fieldOf(value, name)
  return typeof found === "string" ? found : ""
}

const ofDisk = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO", "ENOMEM"])

/** The text of the error, or of what has caused it; null for any other error. */
export const textOf = (thrown: unknown): string | null => {
  const [code, operation] = [textIn(thrown, "code"), textIn(thrown, "syscall")]
  if (code === "EMFILE") return Texts.files(mostFiles())
  if (code === "ENFILE") return Texts.filesOfHost
  if (code === "EAGAIN" && operation.startsWith("spawn")) return Texts.processes
  if (ofDisk.has(code) && operation !== "") {
    return Codes.explain(Texts.refused(operation, textIn(thrown, "path"), code))
  }
  return thrown instanceof Error && thrown.cause !== undefined ? textOf(thrown.cause) : null
}
