/** A process with a host (`host.ts`) that is deployed: started, told to end, killed, and started again. */
import { Effect, Option, Schema } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { defaults } from "../../../src/services/EngineConfig.js"
import { bundle } from "../../support/programs/Bundle.js"
import * as Process from "../../support/programs/Process.js"
import { Line, type Said, Setup } from "./HostProtocol.js"

/** When a host is told to end, and how: once `after` calls have begun in it. Null lets it end by itself. */
export interface Stop {
  readonly after: number
  readonly signal: "SIGTERM" | "SIGKILL"
}

interface Life {
  /** Whether it reported the end of each job; otherwise it ended because it was told to. */
  readonly isDone: boolean
  readonly ends: ReadonlyArray<Extract<Said, { readonly _tag: "Ended" }>>
}

export const dataOf = (folder: string): string => join(folder, "data")

/** Settings that have a default may be left out. */
export type Options = Pick<Setup, "folder" | "jobs" | "role"> & Partial<Setup>

/** One life of a host, from its start to its end. Dies when the host ends in any other way than it was told to. */
export const live = (setup: Options, stop: Stop | null = null): Effect.Effect<Life> =>
  Effect.gen(function* () {
    mkdirSync(dataOf(setup.folder), { recursive: true })
    const program = yield* bundle(new URL("host.ts", import.meta.url), { whole: true })
    const whole = { ...defaults, recoverMillis: 10_000, atOnce: 8, workMillis: 20, database: null, ...setup }
    const running = yield* Process.start(process.execPath, [program, Schema.encodeSync(Setup)(whole)])
    const ends: Array<Life["ends"][number]> = []
    let entered = 0
    while (true) {
      const line = yield* running.line
      if (Option.isNone(line)) break
      const said = yield* Effect.mapError(
        Schema.decodeUnknown(Line)(line.value),
        () => new Error(`a host says what is not understood: ${line.value}`)
      ).pipe(Effect.orDie)
      if (said._tag === "Ended") ends.push(said)
      else if (++entered === stop?.after) yield* running.signal(stop.signal)
    }
    const { code, signal, stderr } = yield* running.ended
    const isDone = ends.length === setup.jobs.length
    const isTold = stop !== null && entered >= stop.after
    const hasEnded = code === 0 && (isDone || isTold)
    if (!hasEnded && !(isTold && stop.signal === signal)) {
      return yield* Effect.dieMessage(`a host ended with ${code ?? signal}: ${stderr.slice(-2_000)}`)
    }
    return { isDone, ends }
  }).pipe(Effect.scoped)
