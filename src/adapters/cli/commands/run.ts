/** `skein run`. */
import { Args, Command, Options } from "@effect/cli"
import { Effect } from "effect"
import * as Arguments from "../Arguments.js"

const text = (name: string, placeholder: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName(placeholder), Options.withDescription(description), Options.optional)

export const run = Command.make(
  "run",
  {
    message: Args.text({ name: "message" }).pipe(
      Args.withDescription("What to say; left out with --resume"),
      Args.optional
    ),
    session: text("session", "ID", "Go on with this session instead of making a new one"),
    model: text("model", "PROVIDER/MODEL", "The session's model from now on. Without one, SKEIN_MODEL is asked"),
    workdir: text("workdir", "DIR", "Folder of a new session. Defaults to the current one"),
    yes: Options.boolean("yes").pipe(Options.withDescription("Allow every call that would be asked about")),
    resume: Options.boolean("resume").pipe(
      Options.withDescription("Go on from the session's transcript as it is, after a crash say")
    ),
    json: Arguments.json,
    data: Arguments.data
  },
  (input) =>
    Effect.flatMap(
      Effect.promise(() => import("../RunCommand.js")),
      (turn) => turn.run(input)
    )
).pipe(Command.withDescription("Send a message and watch the run that answers it"))
