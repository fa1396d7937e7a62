/**
 * The names that the package exports, types included, read from the source: each entry of `exports` and what it exports
 * by namespace. The source exports by a few forms only, which prettier puts at the beginning of a line; a form that is
 * not known here is a mistake, not a name left out.
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)

const manifest: { readonly name: string; readonly exports: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(new URL("package.json", root), "utf8")
)

type Kind = "type" | "value"

/** Names with what each is; a namespace's names follow its own, after a dot. */
export type Names = Map<string, Set<Kind>>

const declaration = /^export (?:declare )?(const|function|(?:abstract )?class|interface|type) ([\w$]+)/
const list = /^export (type )?\{([^}]*)\}(?: from "([^"]+)")?/
const all = /^export \*(?: as ([\w$]+))? from "([^"]+)"/

const add = (names: Names, name: string, ...kinds: ReadonlyArray<Kind>) => {
  names.set(name, new Set([...(names.get(name) ?? []), ...kinds]))
}

const addList = (names: Names, file: URL, [, isType, body = "", from]: ReadonlyArray<string | undefined>) => {
  const origin = namesOf(from === undefined ? file : new URL(from.replace(/\.js$/, ".ts"), file), from === undefined)
  for (const item of body.split(",").map((text) => text.trim())) {
    if (item === "") continue
    const [local = "", name = local] = item.replace(/^type /, "").split(" as ")
    const kinds = isType === undefined && !item.startsWith("type ") ? origin.get(local) : new Set<Kind>(["type"])
    if (kinds === undefined) add(names, name, "value")
    else add(names, name, ...kinds)
  }
}

/** `isOwn`: of the declarations of a file alone, whether they are exported or not. */
const namesOf = (file: URL, isOwn = false): Names => {
  const names: Names = new Map()
  const source = readFileSync(file, "utf8")
  for (const statement of source.split(/^(?=[^\s})])/m)) {
    const declared = declaration.exec(isOwn ? statement.replace(/^(?!export )/, "export ") : statement)
    if (declared !== null) {
      const [, kind = "", name = ""] = declared
      add(names, name, ...kindsOf(kind))
      continue
    }
    if (isOwn || !statement.startsWith("export ")) continue
    const listed = list.exec(statement)
    if (listed !== null) {
      addList(names, file, listed)
      continue
    }
    const [, namespace, from] = all.exec(statement) ?? []
    if (from === undefined) throw new Error(`unknown form of export in ${fileURLToPath(file)}: ${statement}`)
    if (namespace !== undefined) add(names, namespace, "value")
    for (const [name, kinds] of namesOf(new URL(from.replace(/\.js$/, ".ts"), file))) {
      add(names, namespace === undefined ? name : `${namespace}.${name}`, ...kinds)
    }
  }
  return names
}

const kindsOf = (kind: string): ReadonlyArray<Kind> =>
  kind === "interface" || kind === "type" ? ["type"] : kind.endsWith("class") ? ["value", "type"] : ["value"]

/** The entries of `exports` that are modules, by the name under which they are imported, and their sources. */
export const entries: ReadonlyMap<string, URL> = new Map(
  Object.entries(manifest.exports).flatMap(([entry, target]): ReadonlyArray<readonly [string, URL]> => {
    const source = new URL(target.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts"), root)
    return target.endsWith(".js") ? [[manifest.name + entry.slice(1), source]] : []
  })
)

export const publicNames: ReadonlyMap<string, Names> = new Map(
  [...entries].map(([entry, source]) => {
    if (!existsSync(source)) throw new Error(`${entry} has no source`)
    return [entry, namesOf(source)]
  })
)
