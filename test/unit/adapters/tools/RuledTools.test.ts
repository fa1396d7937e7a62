import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import { Permissions } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import * as PermissionRule from "../../../../src/domain/PermissionRule.js"
import * as WorkspaceTools from "../../../../src/adapters/tools/WorkspaceTools.js"
import * as Counting from "../../services/counting.js"
import { open } from "../../services/runtime/fixture.js"
import * as TestWorkspace from "./TestWorkspace.js"

type Patterns = Readonly<Record<string, Permissions.Rule["word"]>>
type Asked = readonly [tool: string, input: Readonly<Record<string, string>>]

/** A policy by stored rules. */
const ruled = Effect.fnUntraced(function* (patterns: Patterns, otherwise: Permissions.Policy = Permissions.allowAll) {
  const rules = Object.entries(patterns).map(([pattern, word]) => ({ word, pattern }))
  const context = yield* Layer.build(Permissions.layerRules(rules))
  const policy: Permissions.Policy = (request) => Effect.provide(Permissions.byRules(otherwise)(request), context)
  return policy
})

/** What the model hears about calls in a folder. */
const callsBy = Effect.fnUntraced(function* (
  policy: Permissions.Policy,
  workdir: string,
  ...asked: ReadonlyArray<Asked>
) {
  const { gateway, lines, model, send, session } = yield* open({ tools: WorkspaceTools.files, policy })
  const { id } = yield* session({ workdir })
  yield* model.play(
    ScriptedModel.calls(...asked.map(([name, input]) => ({ name, input: JSON.stringify(input) }))),
    ScriptedModel.text("done")
  )
  yield* gateway.await(yield* send(id, "go"))
  return (yield* lines(id)).slice(2, -1)
})

/** The same, by an agent that may do whatever no rule decides. */
const calls = (workdir: string, patterns: Patterns, ...asked: ReadonlyArray<Asked>) =>
  Effect.flatMap(ruled(patterns), (policy) => callsBy(policy, workdir, ...asked))

const files = { "secrets/key.pem": "hush", "src/main.ts": "main" }

describe("rules about paths", () => {
  it.scoped("hold for each name of the session's folder", () =>
    Effect.gen(function* () {
      const { base, workdir } = yield* TestWorkspace.make(files)
      const link = join(base, "link")
      yield* Effect.promise(() => symlink(workdir, link))
      const said = yield* calls(
        link,
        { "read: secrets/**": "deny" },
        ...[workdir, link].map((folder) => ["read", { path: join(folder, "secrets/key.pem") }] as const),
        ["read", { path: join(workdir, "src/main.ts") }]
      )
      const denied = "read denied: Denied: a stored rule denies it: read: secrets/**"
      expect(said).toEqual([denied, denied, "read success: main"])
    })
  )

  it.scoped("hide what they deny a tool, or read, from tools that look through folders", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make(files)
      const searches = [
        ["grep", { pattern: "." }],
        ["grep", { pattern: ".", path: "secrets" }],
        ["grep", { pattern: ".", path: "secrets/key.pem" }],
        ["glob", { pattern: "**" }],
        ["list", { path: "secrets" }],
        ["list", {}]
      ] as const
      const note = "[left out, because a stored rule denies them: 1]"
      for (const tools of ["*", "read", "g*|list"]) {
        const rules = Object.fromEntries(tools.split("|").map((tool) => [`${tool}: secrets/**`, "deny" as const]))
        const said = yield* calls(workdir, rules, ...searches)
        const denied = `grep denied: Denied: a stored rule denies it: ${tools.split("|")[0]}: secrets/**`
        expect(said).toEqual([
          `grep success: src/main.ts:1: main\n${note}`,
          `grep success: [nothing found]\n${note}`,
          tools === "read" ? `grep success: [nothing found]\n${note}` : denied,
          `glob success: src/main.ts\n${note}`,
          `list success: ${note}`,
          "list success: secrets/\nsrc/"
        ])
      }
    })
  )

  it.scoped("that deny a folder deny all that is in it, and hide it whole", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ ...files, "secrets/deep/er": "hush" })
      const note = (count: number) => `[left out, because a stored rule denies them: ${count}]`
      for (const [pattern, names] of [
        ["secrets", "src/\n[left out, because a stored rule denies them: 1]"],
        ["s*rets", "src/\n[left out, because a stored rule denies them: 1]"],
        ["secrets/", "secrets/\nsrc/"]
      ] as const) {
        const said = yield* calls(
          workdir,
          { [`read: ${pattern}`]: "deny" },
          ["read", { path: "secrets/key.pem" }],
          ["grep", { pattern: "." }],
          ["glob", { pattern: "**" }],
          ["list", {}],
          ["list", { path: "secrets" }],
          ["grep", { pattern: ".", path: "secrets/deep" }],
          ["list", { path: "src" }]
        )
        const inside = note(names.startsWith("src") ? 1 : 2)
        expect([pattern, ...said]).toEqual([
          pattern,
          `read denied: Denied: a stored rule denies it: read: ${pattern}`,
          `grep success: src/main.ts:1: main\n${inside}`,
          `glob success: src/main.ts\n${inside}`,
          `list success: ${names}`,
          `list success: ${note(2)}`,
          `grep success: [nothing found]\n${note(1)}`,
          "list success: src/main.ts"
        ])
      }
    })
  )

  it.scoped("hide together what the rules behind them hide, too", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make({ ...files, "own/a": "a", "b.txt": "b" })
      const said = yield* callsBy(
        yield* ruled({ "read: secrets/**": "deny" }, yield* ruled({ "read: own/**": "deny" })),
        workdir,
        ["glob", { pattern: "**" }],
        ["read", { path: "own/a" }]
      )
      expect(said).toEqual([
        "glob success: b.txt\nsrc/main.ts\n[left out, because a stored rule denies them: 2]",
        "read denied: Denied: a stored rule denies it: read: own/**"
      ])
    })
  )

  it.scoped("are compared with few files between two turns of the event loop, the more there are the fewer", () =>
    Effect.gen(function* () {
      const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`folder/${n}`, ""]))
      const { workdir } = yield* TestWorkspace.make(many)
      const rules = Array.from({ length: 20 }, (_, n) => ({ word: "deny" as const, pattern: `read: **/*a*${n}b` }))
      const hides = PermissionRule.hiding(rules, "glob")
      let compared = 0
      const counting = (path: string) => {
        compared++
        return hides?.(path) === true
      }
      const policy: Permissions.Policy = () =>
        Effect.succeed({ ...Permissions.allow, hides: Object.assign(counting, hides) })
      const { gateway, model, send, session } = yield* open({ tools: WorkspaceTools.files, policy })
      const { id } = yield* session({ workdir })
      for (const [name, input] of [
        ["glob", { pattern: "*", path: "folder" }],
        ["list", { path: "folder" }]
      ] as const) {
        compared = 0
        yield* model.play(ScriptedModel.calls({ name, input: JSON.stringify(input) }), ScriptedModel.text("done"))
        const most = yield* Counting.mostOf(() => compared, Effect.flatMap(send(id, "go"), gateway.await))
        expect(compared).toBe(300)
        // A rule has five wildcards and literal texts, and a turn is for 4,096 of them.
        expect(most).toBe(Math.floor(4_096 / (20 * 5)))
      }
    })
  )

  it.scoped("hold for each spelling of a path", () =>
    Effect.gen(function* () {
      const { workdir } = yield* TestWorkspace.make(files)
      const spellings = [
        "secrets/key.pem",
        './/src/"/../../secrets/key.pem',
        '"secrets/key.pem"',
        '"\\u0073ecrets/key.pem"'
      ]
      const said = yield* calls(
        workdir,
        { "read: secrets/**": "deny" },
        ...spellings.map((path) => ["read", { path }] as const),
        ["read", { path: `${workdir}/secrets/key.pem` }]
      )
      expect(new Set(said)).toEqual(new Set(["read denied: Denied: a stored rule denies it: read: secrets/**"]))
    })
  )
})
