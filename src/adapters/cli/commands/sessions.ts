/** `skein sessions`. */
import { Command } from "@effect/cli"
import { remove } from "./sessions/delete.js"
import { list } from "./sessions/list.js"
import { model } from "./sessions/model.js"
import { rename } from "./sessions/rename.js"
import { show } from "./sessions/show.js"

export const sessions = Command.make("sessions").pipe(
  Command.withSubcommands([list, show, rename, model, remove]),
  Command.withDescription("Look at sessions and manage them")
)
