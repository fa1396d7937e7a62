/** The doctor of backups: a process of its own, because a check is one long step. Its program is `examining.ts`. */
import { Effect, Layer, Schema } from "effect"
import { fileURLToPath } from "node:url"
import { StorageFailed } from "../../domain/SkeinError.js"
import * as OwnProcess from "../node/OwnProcess.js"
import { Examiner, Remark } from "../sqlite/backup/Examiner.js"
import * as Progress from "./terminal/Progress.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Maintenance.js"

/** The messages of the process, one per line. */
export const Line = Schema.parseJson(
  Schema.Union(
    Schema.TaggedStruct("Progress", { done: Schema.Int, total: Schema.Int }),
    Schema.TaggedStruct("Remark", { remark: Remark }),
    Schema.TaggedStruct("Failed", { operation: Schema.String, code: Schema.String }),
    Schema.TaggedStruct("Ended", {})
  )
)

export type Task = "look" | "repair"

const decode = Schema.decode(Line)

const program = fileURLToPath(new URL("examining.mjs", import.meta.url))

const noAnswer = (task: Task) =>
  new StorageFailed({ operation: `${task} the copy`, code: "the process that checks it ended early" })

/** The remarks of a process that ends without saying so do not count: it was killed, or could not be started. */
const ask = (task: Task, path: string, report: Progress.Report) =>
  Effect.gen(function* () {
    const remarks: Array<Remark> = []
    let isEnded = false
    yield* OwnProcess.run(program, [task, path], (text) =>
      Effect.gen(function* () {
        const line = yield* decode(text)
        if (line._tag === "Failed") return yield* new StorageFailed(line)
        if (line._tag === "Progress") yield* report(line.done, line.total)
        else if (line._tag === "Remark") remarks.push(line.remark)
        else isEnded = true
      })
    )
    return isEnded ? remarks : yield* noAnswer(task)
  }).pipe(Effect.mapError((error) => (error instanceof StorageFailed ? error : noAnswer(task))))

export const layer = Layer.effect(
  Examiner,
  Effect.map(Screen, (screen) => {
    const shown = (label: string, task: Task, path: string) =>
      Progress.during({ label, unit: Texts.sessions }, (report) => ask(task, path, report)).pipe(
        Effect.provideService(Screen, screen)
      )
    return Examiner.of({
      look: (path) => shown(Texts.checking, "look", path),
      repair: (data) => shown(Texts.repairing, "repair", data)
    })
  })
)
