import { expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Gateway } from "skein"
import * as Workspaces from "../../../../src/adapters/server/Workspaces.js"
import { open } from "../../services/runtime/fixture.js"

const folders = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "skein-root-")))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  ),
  (home) => {
    const [root, outside, inside, beside] = ["root", "outside", "root/inside", "root2"].map((name) => join(home, name))
    for (const path of [root, outside, inside, beside]) mkdirSync(path ?? "")
    const away = join(root ?? "", "away")
    symlinkSync(outside ?? "", away)
    const back = join(outside ?? "", "back")
    symlinkSync(inside ?? "", back)
    return { root: root ?? "", outside: outside ?? "", inside: inside ?? "", beside: beside ?? "", away, back }
  }
)

it.scoped("clients may use only the root and folders in it, whatever links and operations they try", () =>
  Effect.gen(function* () {
    const { away, back, beside, inside, outside, root } = yield* folders
    const { gateway } = yield* open()
    const bound = Workspaces.bound(gateway, { root, newSession: {} })
    const refused = { _tag: "InvalidInput", field: "workdir" }

    const { id, workdir } = yield* bound.create({})
    expect(workdir).toBe(root)
    expect(yield* bound.create({ workdir: back })).toMatchObject({ workdir: inside })
    for (const path of [outside, beside, away, join(root, ".."), join(root, "nowhere"), `${root}/a.txt`]) {
      expect(yield* Effect.flip(bound.create({ workdir: path }))).toMatchObject(refused)
      expect(yield* Effect.flip(bound.patch({ sessionId: id, workdir: path }))).toMatchObject(refused)
      expect(yield* Effect.flip(bound.patchMany({ sessionIds: [id], workdir: path }))).toMatchObject(refused)
    }
    expect(yield* bound.patch({ sessionId: id, workdir: inside, title: "moved" })).toMatchObject({ workdir: inside })
    expect(yield* bound.patch({ sessionId: id, workdir: null })).toMatchObject({ workdir: null })
  })
)

it.scoped("a session that is imported with a folder outside the root appears without one", () =>
  Effect.gen(function* () {
    const { away, back, inside, outside, root } = yield* folders
    const { gateway } = yield* open()
    const appeared: Array<readonly [title: string, workdir: string | null]> = []
    const watched: Gateway.Service = {
      ...gateway,
      importSessions: (input) =>
        Effect.tap(gateway.importSessions(input), (imported) =>
          Effect.forEach(imported, ({ sessionId }) =>
            Effect.map(Effect.orDie(gateway.session(sessionId)), ({ title, workdir }) =>
              appeared.push([title, workdir])
            )
          )
        )
    }
    yield* gateway.create({ workdir: outside, title: "outside" })
    yield* gateway.create({ workdir: away, title: "away" })
    yield* gateway.create({ workdir: back, title: "back" })
    const bound = Workspaces.bound(watched, { root, newSession: {} })
    yield* bound.importSessions({ content: Stream.encodeText(bound.exportSessions()), newIds: true })
    expect(Object.fromEntries(appeared)).toEqual({ outside: null, away: null, back: inside })
  })
)
