/**
 * `npm run golden [-- FOLDER]`: makes the golden data folder of this version, once, right before its release. FOLDER
 * must not exist; it defaults to the version's folder among the fixtures, where the tests find it.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import manifest from "../../../package.json" with { type: "json" }
import * as Golden from "./Golden.js"
import { make } from "./Make.js"

const folder = process.argv[2] ?? Golden.golden(manifest.version)

const main = Effect.zipRight(make(folder, manifest.version), Console.log(`made ${folder}`)).pipe(
  Effect.tapError(({ message }) => Console.error(message))
)

NodeRuntime.runMain(main, { disableErrorReporting: true })
