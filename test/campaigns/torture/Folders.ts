/** The folders of a case: the engine's data, and next to it the files that calls leave. */
import { join } from "node:path"

export const dataOf = (folder: string): string => join(folder, "data")
export const callsOf = (folder: string): string => join(folder, "calls")
