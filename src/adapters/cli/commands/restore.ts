/** `skein restore`. */
import { Args, Command } from "@effect/cli"
import { Effect } from "effect"
import * as Arguments from "../Arguments.js"

export const restore = Command.make(
  "restore",
  {
    file: Args.text({ name: "file" }).pipe(Args.withDescription("A file made by skein backup")),
    data: Arguments.data
  },
  (input) =>
    Effect.flatMap(
      Effect.promise(() => import("../Backups.js")),
      (backups) => backups.restore(input)
    )
).pipe(Command.withDescription("Put what a backup holds into a data folder that has no database"))
