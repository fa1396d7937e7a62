/**
 * Every public name stands in `public-names.txt`. A name that is added, removed or becomes another kind of thing changes
 * that file, on purpose: `npx vitest run test/unit/PublicNames.test.ts --update`.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { entries, publicNames } from "./PublicNames.js"

const lines = [...publicNames].flatMap(([entry, names]) =>
  [...names].map(([name, kinds]) => `${entry} ${name}: ${[...kinds].sort().reverse().join(", ")}`).sort()
)

const isNamespace = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Reflect.get(value, Symbol.toStringTag) === "Module"

/** The names that a module has when it is loaded; a namespace's names follow its own, after a dot. */
const valuesOf = (module: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.entries(module).flatMap(([name, value]) =>
    isNamespace(value) ? [name, ...Object.keys(value).map((inner) => `${name}.${inner}`)] : [name]
  )

describe("public names", () => {
  it("are those of the list", async () => {
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("public-names.txt")
  })

  for (const [entry, source] of entries) {
    it(`of ${entry} are those that it has when it is loaded`, async () => {
      const loaded: Readonly<Record<string, unknown>> = await import(source.pathname)
      const declared = [...(publicNames.get(entry) ?? [])].flatMap(([name, kinds]) =>
        kinds.has("value") ? [name] : []
      )
      expect(declared.sort()).toEqual([...valuesOf(loaded)].sort())
    })
  }

  it("are reached by entry points alone: tests resolve no other", () => {
    const { compilerOptions }: { compilerOptions: { paths: Record<string, ReadonlyArray<string>> } } = JSON.parse(
      readFileSync(new URL("../../tsconfig.json", import.meta.url), "utf8")
    )
    expect(Object.keys(compilerOptions.paths).sort()).toEqual([...entries.keys()].sort())
  })
})
