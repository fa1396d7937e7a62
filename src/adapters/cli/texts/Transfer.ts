/** What `skein export` and `skein import` print. Names and paths are made harmless by the caller. */
import { counted } from "../../../domain/Amounts.js"

export const exporting = "Exporting"

export const importing = "Importing"

export const nothingNamed = "name the sessions to export, or add --all or --owner OWNER"

export const tooMuchNamed = "name sessions, or add either --all or --owner OWNER"

export const toTerminal = "refusing to write an export to the terminal: add --out FILE, or pipe it to another program"

export const exported = (file: string, sessions: number, files: number, size: string): string =>
  `Exported ${counted(sessions, "session")} and ${counted(files, "file")} to ${file} (${size})`

export const wentOn = (session: string, run: string, messages: number): string =>
  `session ${session}: run ${run} had not ended; only what was settled was exported, ${counted(messages, "message")}`

export const waited = (session: string, messages: number): string =>
  `session ${session}: ${counted(messages, "waiting message")} ${messages === 1 ? "was" : "were"} left out`

export const unwritable = (file: string, why: string): string =>
  why === "EEXIST"
    ? `${file} already exists; an export never overwrites a file`
    : `cannot write the export ${file}: ${why}`

export const unreadable = (file: string, why: string): string => `cannot read ${file}: ${why}`

export const refused = (file: string, why: string): string => `cannot import ${file}, ${why}; nothing was imported`

export const exists = (session: string): string =>
  `session ${session} already exists; nothing was imported; --new-ids gives the sessions new ids`

export const imported = (data: string, sessions: number): string =>
  `Imported ${counted(sessions, "session")} into ${data}`

export const grantsLeftOut = (grants: number): string =>
  `${counted(grants, "allowed tool")} ${grants === 1 ? "was" : "were"} left out, and will be asked about again; --with-grants keeps ${grants === 1 ? "it" : "them"}`

export const renamed = (from: string, session: string): string => `${from} is now ${session}`

export const stdin = "stdin"
