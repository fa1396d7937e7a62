/** The program of `Looks.ts`: checks a data folder again and again, and prints the alarms of each check as a line. */
import { Effect } from "effect"
import { alarmsIn } from "../../support/verdicts/NoAlarm.js"

const [, , data = ""] = process.argv

// The process that counts the checks is gone.
process.stdout.on("error", () => process.exit(1))

Effect.runFork(
  Effect.forever(Effect.map(alarmsIn(data), (alarms) => process.stdout.write(`${JSON.stringify(alarms)}\n`)))
)
