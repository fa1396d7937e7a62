/** A disk that becomes full while `skein run` is at work on it. */
import { expect } from "@effect/vitest"
import { Effect, Option } from "effect"
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as Machine from "../../../campaigns/faults/Machine.js"
import * as Program from "./Program.js"

const script = JSON.stringify([
  { calls: [{ name: "shell", input: { command: `head -c 9m /dev/zero > "$PWD/disk"; seq 1 2000` } }] },
  { text: "There is room again." }
])

/** A run that fills its disk with one file. */
const filling = Effect.gen(function* () {
  const mounted = yield* Machine.disk(4 * 1024 * 1024)
  const filler = join(mounted, "filler")
  const home = yield* Program.make({ "s.json": script.replace("$PWD/disk", filler) })
  const data = { SKEIN_DATA: join(mounted, "data") }
  const running = yield* home.start(["run", "hi", "--model", "script/s.json", "--yes", "--json"], data)
  return { data, filler, home, running }
})

const message = "skein: cannot end the run: the disk is full, SQLITE_FULL; it is tried again until it works; "

Machine.withMounts("P2 a disk that becomes full: a line says what a run waits for, and the first signal ends it", () =>
  Effect.gen(function* () {
    const { data, filler, home, running } = yield* filling
    const line = yield* Effect.flatten(running.errorLine)
    expect(line).toContain(message)
    yield* running.signal("SIGTERM")
    expect(yield* running.ended).toMatchObject({ signal: "SIGTERM" })
    expect(Option.isNone(yield* running.errorLine)).toBe(true)

    rmSync(filler)
    expect(yield* home.run(["run", "--last", "--resume", "--yes"], data)).toMatchObject({
      code: 0,
      stdout: "There is room again.\n"
    })
  })
)

Machine.withMounts("P2 a disk that becomes full, and has room later: the run ends by itself, and says why", () =>
  Effect.gen(function* () {
    const { filler, running } = yield* filling
    expect(yield* Effect.flatten(running.errorLine)).toContain(message)
    rmSync(filler)
    const end = yield* running.ended
    expect(end.code).toBe(1)
    expect(end.stderr.split("\n").at(-2)).toMatch(/^skein: .*the disk is full, SQLITE_FULL.* To continue: skein run/)
    const last = Program.events(end).at(-1)
    expect(last).toMatchObject({ type: "run.ended", stopReason: "failed" })
  })
)
