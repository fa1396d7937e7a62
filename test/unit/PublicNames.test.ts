/**
 * Every public name is in `public-names.txt`. Adding or removing a name, or turning it into another kind, must change
 * that file, on purpose: `npx vitest run test/unit/PublicNames.test.ts --update`.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import * as Pages from "../support/reference/Pages.js"
import { entries, read } from "../support/reference/PublicNames.js"

const publicNames = read()

const lines = [...publicNames].flatMap(([entry, { names }]) =>
  [...names].map(([name, { kinds }]) => `${entry} ${name}: ${[...kinds].sort().reverse().join(", ")}`).sort()
)

const isNamespace = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Reflect.get(value, Symbol.toStringTag) === "Module"

/** The names that a module has at run time; a namespace's names follow it, after a dot. */
const valuesOf = (module: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.entries(module).flatMap(([name, value]) =>
    isNamespace(value) ? [name, ...Object.keys(value).map((inner) => `${name}.${inner}`)] : [name]
  )

describe("public names", () => {
  it("match the list in public-names.txt", async () => {
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("public-names.txt")
  })

  it("all have docstrings", () => {
    const bare = [...publicNames].flatMap(([entry, { names }]) =>
      [...names].flatMap(([name, { docs }]) => (docs.length === 0 ? [`${entry} ${name}`] : []))
    )
    expect(bare).toEqual([])
  })

  it("appear in the reference once per entry, on pages that are all linked", () => {
    const pages = Pages.make(publicNames)
    const headings = [...pages.values()].flatMap((text) =>
      [...text.matchAll(/^## (.+)$/gm)].map(([, name = ""]) => name)
    )
    const links = [...pages.values()].flatMap((text) => [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, to = ""]) => to))
    const names = [...publicNames.values()].flatMap(({ names }) => [...names.keys()])
    const isNamespace = (name: string) => names.some((other) => other.startsWith(`${name}.`))
    expect(headings.sort()).toEqual(names.filter((name) => !isNamespace(name)).sort())
    expect(["README.md", ...links].sort()).toEqual([...pages.keys()].sort())
  })

  for (const [entry, source] of entries) {
    it(`of ${entry} that are values are exactly those of the loaded module`, async () => {
      const loaded: Readonly<Record<string, unknown>> = await import(source.pathname)
      const declared = [...(publicNames.get(entry)?.names ?? [])].flatMap(([name, { kinds }]) =>
        kinds.has("value") ? [name] : []
      )
      expect(declared.sort()).toEqual([...valuesOf(loaded)].sort())
    })
  }

  it("are imported through entry points only: tsconfig.json maps no other paths", () => {
    const { compilerOptions }: { compilerOptions: { paths: Record<string, ReadonlyArray<string>> } } = JSON.parse(
      readFileSync(new URL("../../tsconfig.json", import.meta.url), "utf8")
    )
    expect(Object.keys(compilerOptions.paths).sort()).toEqual([...entries.keys()].sort())
  })
})
