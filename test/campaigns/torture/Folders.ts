/** Where a case has what: the engine's own folder, and beside it the files that calls left. */
import { join } from "node:path"

export const dataOf = (folder: string): string => join(folder, "data")
export const callsOf = (folder: string): string => join(folder, "calls")
