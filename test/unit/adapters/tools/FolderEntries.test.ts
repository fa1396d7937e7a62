import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FolderEntries from "../../../../src/adapters/tools/FolderEntries.js"

it.effect("every entry of a large folder is visited, with a turn of the event loop after each portion", () =>
  Effect.gen(function* () {
    const entries = Array.from({ length: 20_000 }, (_, n) => ({ name: `${n}`, kind: "file" as const }))
    let [now, most, isOver] = [0, 0, false]
    const turn = () => {
      most = Math.max(most, now)
      now = 0
      if (!isOver) setImmediate(turn)
    }
    turn()
    const looked: Array<string> = []
    yield* FolderEntries.forEach(entries, ({ name }) => {
      looked.push(name)
      now++
    })
    isOver = true
    expect(looked).toEqual(entries.map(({ name }) => name))
    expect(Math.max(most, now)).toBe(4_096)
  })
)
