/** `skein backup`. */
import { Args, Command } from "@effect/cli"
import { Effect } from "effect"
import * as Arguments from "../Arguments.js"

export const backup = Command.make(
  "backup",
  {
    file: Args.text({ name: "file" }).pipe(Args.withDescription("Where to; nothing is overwritten")),
    data: Arguments.data
  },
  (input) =>
    Effect.flatMap(
      Effect.promise(() => import("../Backups.js")),
      (backups) => backups.backup(input)
    )
).pipe(Command.withDescription("Copy all sessions and their files into one file, also while they are in use"))
