/** The folder that a session works in, as clients and exports name it. */
import { Schema } from "effect"
import * as SafeText from "./SafeText.js"

/** Absolute path of the folder that a session works in. */
export const Workdir = Schema.String.pipe(
  Schema.filter((path) => /^([/\\]|[A-Za-z]:[/\\])/.test(path) && SafeText.isStorable(path), {
    description: "an absolute path",
    arbitrary: () => (fc) => fc.constantFrom("/", "/a/b", "C:\\a")
  })
)
