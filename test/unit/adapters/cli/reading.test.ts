import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as Machine from "../../../campaigns/faults/Machine.js"
import * as Program from "./Program.js"

/** A home whose data is on a small disk of its own, with one session. */
const small = Effect.gen(function* () {
  const home = yield* Program.make()
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(home.data)
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", home.data])
    }),
    () => Effect.sync(() => execFileSync("umount", ["-l", home.data]))
  )
  yield* home.write("s.json", JSON.stringify([{ text: "hello" }]))
  yield* home.run(["run", "the first one", "--model", "script/../s.json"])
  const [session] = Program.sessions(yield* home.run(["sessions", "list", "--json"]))
  return { home, id: session?.id ?? "" }
})

/** A picture of one pixel. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const fill = (path: string): void => {
  for (const size of [64 * 1024, 4096, 1]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: "a" })
    } catch {
      continue
    }
  }
}

const shows = (home: Program.Home, id: string) =>
  Effect.gen(function* () {
    const before = readFileSync(`${home.data}/skein.db`)
    const list = yield* home.run(["sessions", "list"])
    expect(list).toMatchObject({ code: 0 })
    expect(list.stdout).toContain("the first one")
    const show = yield* home.run(["sessions", "show", id.slice(0, 12)])
    expect(show).toMatchObject({ code: 0 })
    expect(show.stdout).toContain("hello")
    expect(readFileSync(`${home.data}/skein.db`).equals(before)).toBe(true)
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("skein-reading-"))).toEqual([])
  })

Machine.withMounts("sessions can be read on a full disk", () =>
  Effect.gen(function* () {
    const { home, id } = yield* small
    fill(`${home.data}/fill`)
    yield* shows(home, id)
    const refused = yield* home.run(["sessions", "rename", id, "x"])
    expect(refused).toMatchObject({ code: 1, stdout: "" })
    expect(Program.isOneLine(refused.stderr)).toBe(true)
  })
)

Machine.withMounts("sessions can be read on a read-only disk", () =>
  Effect.gen(function* () {
    const { home, id } = yield* small
    execFileSync("mount", ["-o", "remount,ro", home.data])
    yield* shows(home, id)
    const refused = yield* home.run(["sessions", "rename", id, "x"])
    expect(refused).toMatchObject({ code: 1, stdout: "" })
    expect(Program.isOneLine(refused.stderr)).toBe(true)
    expect(statSync(home.data).isDirectory()).toBe(true)
  })
)

Machine.withMounts(
  "sessions can be exported with their files from a read-only disk, and the doctor says what it is",
  () =>
    Effect.gen(function* () {
      const { home } = yield* small
      const picture = JSON.stringify([{ calls: [{ name: "read", input: { path: "a.png" } }] }, { text: "a picture" }])
      yield* home.write("p.json", picture)
      writeFileSync(home.at("work/a.png"), Buffer.from(png, "base64"))
      expect(yield* home.run(["run", "look", "--model", "script/../p.json", "--yes"])).toMatchObject({ code: 0 })
      const lines = (text: string) => text.split("\n").slice(1, -2)
      const before = lines((yield* home.run(["export", "--all"])).stdout)
      expect(before.filter((line) => line.startsWith('{"type":"asset"'))).toHaveLength(1)
      execFileSync("mount", ["-o", "remount,ro", home.data])
      const exported = yield* home.run(["export", "--all"])
      expect(exported.code).toBe(0)
      expect(lines(exported.stdout)).toEqual(before)
      for (const args of [["doctor"], ["doctor", "--repair"]]) {
        expect(yield* home.run(args)).toMatchObject({
          code: 1,
          stdout: "",
          stderr: `skein: ${home.data} cannot be used (the disk or the folder is read-only, EROFS)\n`
        })
      }
    })
)
