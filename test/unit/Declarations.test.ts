/**
 * The declarations that hosts compile against, made as the package has them. They stand in `dist`, from where the peers'
 * types are found, until the tests are over.
 */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { entries } from "../support/reference/PublicNames.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const compiler = join(createRequire(import.meta.url).resolve("typescript/package.json"), "..", "bin", "tsc")
const minutes = 60_000

mkdirSync(join(root, "dist"), { recursive: true })
const folder = mkdtempSync(join(root, "dist", "declarations-"))

/** What the compiler says, a line an error; nothing when it is content. */
const compile = (...options: ReadonlyArray<string>) =>
  new Promise<string>((resolve) => {
    execFile(process.execPath, [compiler, ...options], { cwd: folder }, (_, output) => resolve(output))
  })

/** A program of a host in a file of its own, and what the compiler says of it, the packages' declarations among it. */
const compileHost = (name: string, text: string) => {
  writeFileSync(join(folder, `${name}.ts`), text)
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
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ compilerOptions, files: [`${name}.ts`] }))
  return compile("-p", `${name}.json`)
}

const fileOf = (source: URL) => source.pathname.replace(/^.*\/src\//, "./types/").replace(/\.ts$/, ".js")

/** A package with types is missing from the AI SDK's own declarations, whoever uses them. */
const faulty = "skein/ai-sdk"

beforeAll(async () => {
  const options = ["--emitDeclarationOnly", "--incremental", "false", "--outDir", join(folder, "types")]
  expect(await compile("-p", join(root, "src"), ...options)).toBe("")
}, 3 * minutes)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("declarations", () => {
  it(
    "compile with skipLibCheck: false, those of all entries but of the AI SDK",
    async () => {
      const imports = [...entries].map(([entry, source], index) =>
        entry === faulty ? "" : `import * as entry${index} from "${fileOf(source)}"\nexport { entry${index} }\n`
      )
      expect(await compileHost("all", imports.join(""))).toBe("")
    },
    2 * minutes
  )

  it(
    "of the AI SDK's entry have no fault of our own",
    async () => {
      const source = entries.get(faulty)
      const said = await compileHost("faulty", source === undefined ? "" : `export * from "${fileOf(source)}"\n`)
      const errors = said.split("\n").filter((line) => line.includes("error TS"))
      expect(errors.length).toBeGreaterThan(0)
      for (const error of errors) expect(error).toContain("@ai-sdk/provider/dist/index.d.ts")
    },
    2 * minutes
  )
})
