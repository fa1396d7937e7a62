/** `skein demo`. */
import { Command } from "@effect/cli"
import { Effect } from "effect"
import * as Arguments from "../Arguments.js"

export const demo = Command.make("demo", { data: Arguments.data }, (input) =>
  Effect.flatMap(
    Effect.promise(() => import("../Demo.js")),
    (demo) => demo.run(input)
  )
).pipe(Command.withDescription("See several tools at work on this folder at once; needs no network and no key"))
