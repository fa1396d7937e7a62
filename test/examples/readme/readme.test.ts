/** The examples in the documents are exactly these files, compiled with everything else and run here. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Gateway, Permissions, Run } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { SkeinTest } from "skein/testing"
import { bundle } from "../../support/programs/Bundle.js"
import * as Process from "../../support/programs/Process.js"
import { add } from "./tool.js"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

const root = fileURLToPath(new URL("../../../", import.meta.url))

const documents = [
  "README.md",
  "CHANGELOG.md",
  "src/GUIDE.md",
  "src/README.md",
  "src/SERVER.md",
  "src/adapters/cli/README.md",
  "src/adapters/testing/README.md",
  "src/services/storage/README.md",
  "test/README.md",
  "test/examples/README.md",
  "test/bench/README.md",
  "test/bench/scale.md"
]

/** The anchors of a document's headings. */
const anchorsOf = (text: string) =>
  [...text.replaceAll(/^```[^]*?^```/gm, "").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-")
  )

describe("the documents", () => {
  it("show the examples as they are compiled", () => {
    const examples: ReadonlyArray<readonly [document: string, example: string]> = [
      ["README.md", "app.ts"],
      ["src/GUIDE.md", "tool.ts"],
      ["src/GUIDE.md", "runner.ts"],
      ["src/GUIDE.md", "frontend.ts"],
      ["src/GUIDE.md", "http.ts"],
      ["src/GUIDE.md", "mounted.ts"],
      ["src/adapters/testing/README.md", "agent.test.ts"],
      ["src/services/storage/README.md", "storage.test.ts"],
      ["src/services/storage/README.md", "serve.ts"]
    ]
    for (const [document, example] of examples) {
      assert.include(read(`../../../${document}`), "```ts\n" + read(example) + "```", `${example} in ${document}`)
    }
  })

  it("link only to files and sections that exist", () => {
    for (const document of documents) {
      for (const [, to = "", anchor] of read(`../../../${document}`).matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)) {
        if (to.startsWith("http")) continue
        const path = to === "" ? document : join(dirname(document), to)
        assert.isTrue(existsSync(join(root, path)), `${to} of ${document}`)
        if (anchor !== undefined) assert.include(anchorsOf(read(`../../../${path}`)), anchor, `${to} of ${document}`)
      }
    }
  })

  it("have no trace of a conflict between two versions", () => {
    for (const document of documents) assert.notMatch(read(`../../../${document}`), /^([<>|])\1{6} |^={7}$/m, document)
  })

  it("name only source files that exist", () => {
    const text = read("../../../src/README.md")
    const named = [...text.matchAll(/`([A-Za-z][\w/.-]*\.ts)`/g)].map(([, file]) => file ?? "")
    assert.isAbove(named.length, 20)
    const all = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    for (const file of named)
      assert.isTrue(
        all.some((one) => `/${one}`.endsWith(`/${file}`)),
        file
      )
  })

  it.scopedLive("have an app that runs unchanged in an empty folder", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-readme-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
      )
      const program = yield* bundle(new URL("app.ts", import.meta.url))
      const { code, stdout } = yield* (yield* Process.start(process.execPath, [program], { cwd: folder })).ended
      assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: "Yarn, wound in one order.\n" })
      assert.isTrue(existsSync(join(folder, "data", "skein.db")))
    })
  )

  it.scopedLive("have a program that serves a storage", () =>
    Effect.gen(function* () {
      const program = yield* bundle(new URL("serve.ts", import.meta.url))
      const { code, stdout } = yield* (yield* Process.start(process.execPath, [program])).ended
      assert.deepStrictEqual({ code, stdout }, { code: 0, stdout: '{"_tag":"Ready"}\n' })
    })
  )

  it.scoped("have a tool that a model can call", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const model = yield* ScriptedModel.ScriptedModel
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(add, { a: 2, b: 3 })), ScriptedModel.text("Five."))
      const session = yield* gateway.create({ workdir: "/" })
      const run = yield* gateway.send({ sessionId: session.id, text: "Two and three?" })
      assert.strictEqual(yield* Run.answer(run), "Five.")
      assert.deepStrictEqual(
        (yield* SkeinTest.results(run)).map(({ text }) => text),
        ["5"]
      )
    }).pipe(Effect.provide(SkeinTest.layer({ tools: [add], policy: Permissions.askToWrite })))
  )
})
