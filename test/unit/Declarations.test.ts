/**
 * The declarations that hosts compile against, made as the package makes them. They stay in `dist`, where the peers'
 * types can be resolved, until the tests are over.
 */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Gateway } from "skein"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { entries } from "../support/reference/PublicNames.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const compiler = join(createRequire(import.meta.url).resolve("typescript/package.json"), "..", "bin", "tsc")

mkdirSync(join(root, "dist"), { recursive: true })
const folder = mkdtempSync(join(root, "dist", "declarations-"))

/** The compiler's output, one line per error; empty if there are no errors. */
const compile = (...options: ReadonlyArray<string>) =>
  new Promise<string>((resolve) => {
    execFile(process.execPath, [compiler, ...options], { cwd: folder }, (_, output) => resolve(output))
  })

/** Writes a host's programs to files, and returns the compiler's output for them and for the packages' declarations. */
const compileHost = (programs: Readonly<Record<string, string>>) => {
  const files = Object.entries(programs).map(([name, text]) => {
    writeFileSync(join(folder, `${name}.ts`), text)
    return `${name}.ts`
  })
  const compilerOptions = {
    target: "ES2022",
    module: "NodeNext",
    lib: ["ES2023"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    declaration: true,
    emitDeclarationOnly: true
  }
  writeFileSync(join(folder, "host.json"), JSON.stringify({ compilerOptions, files }))
  return compile("-p", "host.json")
}

const fileOf = (source: URL) => source.pathname.replace(/^.*\/src\//, "./types/").replace(/\.ts$/, ".js")

/** The AI SDK's own declarations use a package with types that is missing, whatever imports them. */
const faulty = "skein/ai-sdk"

/** Everything that the entries declare. */
const all = [...entries]
  .map(([entry, source], index) =>
    entry === faulty ? "" : `import * as entry${index} from "${fileOf(source)}"\nexport { entry${index} }\n`
  )
  .join("")

/** What a host's editor shows of what the entries return. */
const methods = Object.keys(Gateway.operations).map((name) => `export const _${name} = gateway.${name}\n`)
const names = `import { Effect, Stream } from "effect"
import { type Gateway, type Message, type Permission, Run, SessionEvent } from "./types/index.js"
declare const gateway: Gateway.Service
declare const ref: Run.Ref
declare const entry: Message.Entry
declare const message: Message.UserMessage | Message.AssistantMessage
declare const question: Permission.Question
${methods.join("")}
export const answer = Run.answer
export const settle = Run.settle
export const ended = Run.await
export const used = Effect.map(gateway.session(ref.sessionId), ({ usage }) => usage)
export const model = Effect.map(gateway.session(ref.sessionId), ({ model }) => model)
export const cost = Effect.map(gateway.run(ref.runId), ({ usage }) => usage)
export const told = Stream.runCollect(Run.events(ref))
export const durable = Stream.filter(Run.events(ref), SessionEvent.isDurable)
export const said = entry.message
export const parts = message.parts
export const answered = question.answer
export const session = Effect.map(gateway.snapshot(ref.sessionId), ({ session }) => session)
export const queued = Effect.map(gateway.snapshot(ref.sessionId), ({ queued }) => queued)
export const stored = Effect.map(gateway.snapshot(ref.sessionId), ({ batch }) => batch.stored)
export const listed = Effect.map(gateway.sessions(), ({ sessions }) => sessions)
export const active = Effect.map(gateway.sessions(), ({ sessions }) => sessions[0]?.activity)
`

let said = ""

beforeAll(async () => {
  const options = ["--emitDeclarationOnly", "--incremental", "false", "--outDir", join(folder, "types")]
  expect(await compile("-p", join(root, "src"), ...options)).toBe("")
  said = await compileHost({ all, names })
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("declarations", () => {
  it("of all entries except the AI SDK's compile with skipLibCheck: false", () => {
    expect(said).toBe("")
  })

  it("refer to types by name: nothing that a method takes or returns is written out", () => {
    const declared = readFileSync(join(folder, "names.d.ts"), "utf8")
      .split(/^export /m)
      .slice(1)
    expect(declared.length).toBe(methods.length + 16)
    // The input of `saveAsset` has its content next to the fields that are checked.
    const content = /& \{\s*readonly content: Stream\.Stream<Uint8Array, E>;\s*\}/
    const writtenOut = declared.filter((one) => /[{]|Brand/.test(one.replace(content, "").replace(/^import.*$/gm, "")))
    expect(writtenOut).toEqual([])
  })

  it("of the AI SDK's entry have no errors except in the AI SDK's own package", async () => {
    const source = entries.get(faulty)
    const output = await compileHost({ faulty: source === undefined ? "" : `export * from "${fileOf(source)}"\n` })
    const errors = output.split("\n").filter((line) => line.includes("error TS"))
    expect(errors.length).toBeGreaterThan(0)
    for (const error of errors) expect(error).toContain("@ai-sdk/provider/dist/index.d.ts")
  })
})
