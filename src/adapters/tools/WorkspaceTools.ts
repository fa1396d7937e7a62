/**
 * The tools for a session's folder. The file tools reach nothing outside of it; the shell is a program with the rights of
 * this process, and reaches whatever those allow.
 */
import { edit } from "./EditTool.js"
import { glob } from "./GlobTool.js"
import { grep } from "./GrepTool.js"
import { list } from "./ListTool.js"
import { read } from "./ReadTool.js"
import { shell } from "./ShellTool.js"
import { write } from "./WriteTool.js"

/** Tools that change nothing: `read`, `list`, `glob` and `grep`. */
export const readOnly = [read, list, glob, grep] as const

/**
 * `readOnly` and the tools that change files, `write` and `edit`. For `Agents.layer({ tools: WorkspaceTools.files, …
 * })`.
 */
export const files = [...readOnly, write, edit] as const

/** `files` and `shell`, which is not confined to the workspace. Needs `Exec`. */
export const all = [...files, shell] as const
