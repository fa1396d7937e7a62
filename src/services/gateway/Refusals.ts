/** What the Gateway refuses of an input that no Schema can tell. */
import { InvalidInput } from "../../domain/SkeinError.js"

export const noParent = new InvalidInput({ field: "parent", limit: "an existing session", actual: "none" })

export const emptyMessage = new InvalidInput({ field: "text", limit: "some text or a file", actual: "neither" })
