/** PostgreSQL storage at the URL and in the schema named by the arguments, for the tests across processes. */
import { NodeRuntime } from "@effect/platform-node"
import { Redacted } from "effect"
import { serve } from "skein/testing"
import { storageIn } from "./layers.js"

const [url = "", schema = ""] = process.argv.slice(2)

NodeRuntime.runMain(serve(storageIn({ url: Redacted.make(url), schema, lanes: 2, readers: 2 })))
