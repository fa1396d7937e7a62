/** `skein doctor`. */
import { Command, Options } from "@effect/cli"
import { Effect } from "effect"
import * as Arguments from "../Arguments.js"

export const doctor = Command.make(
  "doctor",
  {
    repair: Options.boolean("repair").pipe(
      Options.withDescription("Do what would be done; needs that nothing else uses the database")
    ),
    data: Arguments.data
  },
  (input) =>
    Effect.flatMap(
      Effect.promise(() => import("../Doctor.js")),
      (doctor) => doctor.run(input)
    )
).pipe(Command.withDescription("Look for damage in what is stored, and say what would be done about it"))
