/**
 * The names that the package exports, including types, with their docstrings and declarations: each entry of `exports`
 * and what it exports by namespace. They are read from the source, or from the declaration files that the compiler
 * makes from it. Both use only a few forms of export, at the beginning of a line; an unknown form is an error, not a
 * name left out.
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../../../", import.meta.url)

const manifest: { readonly name: string; readonly exports: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(new URL("package.json", root), "utf8")
)

type Kind = "type" | "value"

export interface PublicName {
  readonly kinds: ReadonlySet<Kind>
  /** The texts of its docstrings; for a namespace, the header of its module. */
  readonly docs: ReadonlyArray<string>
  /** As written in the file. */
  readonly declarations: ReadonlyArray<string>
}

/** Each name with what it is; a namespace's names follow it, after a dot. */
export type Names = ReadonlyMap<string, PublicName>

/** Where files are read from: the source, or a folder with declaration files of the same names. */
export interface Files {
  readonly folder: URL
  readonly extension: ".ts" | ".d.ts"
}

const source: Files = { folder: new URL("src/", root), extension: ".ts" }

const declaration = /^export (?:declare )?(const|function|(?:abstract )?class|interface|type) ([\w$]+)/
const list = /^export (type )?\{([^}]*)\}(?: from "([^"]+)")?/
const all = /^export \*(?: as ([\w$]+))? from "([^"]+)"/
const imported = /^import (?:type )?\{([^}]*)\} from "(\.[^"]+)"/

const none: PublicName = { kinds: new Set(), docs: [], declarations: [] }

const add = (names: Map<string, PublicName>, name: string, more: PublicName) => {
  const { declarations, docs, kinds } = names.get(name) ?? none
  names.set(name, {
    kinds: new Set([...kinds, ...more.kinds]),
    docs: [...new Set([...docs, ...more.docs])],
    declarations: [...new Set([...declarations, ...more.declarations])]
  })
}

/** The text of a comment. */
const textOf = (comment: string): string =>
  comment
    .trim()
    .replace(/^\/\*\*\s?|\s*\*\/$/g, "")
    .replace(/^ \* ?/gm, "")
    .trim()

const statementsOf = (file: URL): ReadonlyArray<string> => readFileSync(file, "utf8").split(/^(?=[^\s})])/m)

const isComment = (statement: string | undefined): statement is string => statement?.startsWith("/**") === true

/** The docstring at the beginning of a module. */
const headerOf = (file: URL): ReadonlyArray<string> => statementsOf(file).slice(0, 1).filter(isComment).map(textOf)

const itemsOf = (body: string) =>
  body.split(",").flatMap((text) => {
    const item = text.trim()
    const [local = "", name = local] = item.replace(/^type /, "").split(" as ")
    return item === "" ? [] : [{ isType: item.startsWith("type "), local, name }]
  })

const reader = ({ extension }: Files) => {
  const fileOf = (from: string, file: URL) => new URL(from.replace(/\.js$/, extension), file)

  /** The names that a file declares or imports, whether exported or not. */
  const localsOf = (file: URL): Names => {
    const names = new Map<string, PublicName>()
    for (const statement of statementsOf(file)) {
      const [, body, from] = imported.exec(statement) ?? []
      if (body === undefined || from === undefined) continue
      const origin = namesOf(fileOf(from, file))
      for (const { local, name } of itemsOf(body)) add(names, name, origin.get(local) ?? none)
    }
    for (const [name, found] of declaredIn(file, true)) names.set(name, found)
    return names
  }

  const declaredIn = (file: URL, isOwn: boolean): Names => {
    const names = new Map<string, PublicName>()
    const statements = statementsOf(file)
    statements.forEach((statement, at) => {
      const [, kind, name] = declaration.exec(isOwn ? statement.replace(/^(?!export )/, "export ") : statement) ?? []
      if (kind === undefined || name === undefined) return
      const before = statements[at - 1]
      const base = statements.find((other) => other.startsWith(`declare const ${name}_base:`))
      add(names, name, {
        kinds: kindsOf(kind),
        docs: isComment(before) ? [textOf(before)] : [],
        declarations: [...(base === undefined ? [] : [base.trim()]), statement.trim()]
      })
    })
    return names
  }

  const namesOf = (file: URL): Names => {
    const names = new Map(declaredIn(file, false))
    for (const statement of statementsOf(file)) {
      if (!statement.startsWith("export ") || declaration.test(statement)) continue
      const [isList, isType, body = "", origin] = list.exec(statement) ?? []
      if (isList !== undefined) {
        const found = origin === undefined ? localsOf(file) : namesOf(fileOf(origin, file))
        for (const item of itemsOf(body)) {
          const local = found.get(item.local)
          const kinds =
            isType === undefined && !item.isType
              ? (local?.kinds ?? new Set(["value"] as const))
              : new Set(["type"] as const)
          add(names, item.name, { ...(local ?? none), kinds })
        }
        continue
      }
      const [, namespace, from] = all.exec(statement) ?? []
      if (from === undefined) throw new Error(`unknown form of export in ${fileURLToPath(file)}: ${statement}`)
      const module = fileOf(from, file)
      if (namespace !== undefined)
        add(names, namespace, { kinds: new Set(["value"]), docs: headerOf(module), declarations: [] })
      for (const [name, found] of namesOf(module))
        add(names, namespace === undefined ? name : `${namespace}.${name}`, found)
    }
    return names
  }

  return namesOf
}

const kindsOf = (kind: string): ReadonlySet<Kind> =>
  new Set(kind === "interface" || kind === "type" ? ["type"] : kind.endsWith("class") ? ["value", "type"] : ["value"])

/** The entries of `exports` that are modules, by the name under which they are imported, with their source files. */
export const entries: ReadonlyMap<string, URL> = new Map(
  Object.entries(manifest.exports).flatMap(([entry, target]): ReadonlyArray<readonly [string, URL]> => {
    const file = new URL(target.replace(/^\.\/dist\//, "").replace(/\.js$/, ".ts"), source.folder)
    return target.endsWith(".js") ? [[manifest.name + entry.slice(1), file]] : []
  })
)

/** The public names of each entry, and the docstring at its beginning. */
export const read = (files: Files = source): ReadonlyMap<string, { readonly header: string; readonly names: Names }> =>
  new Map(
    [...entries].map(([entry, { href }]) => {
      const file = new URL(href.slice(source.folder.href.length).replace(/\.ts$/, files.extension), files.folder)
      if (!existsSync(file)) throw new Error(`${entry} has no file ${fileURLToPath(file)}`)
      return [entry, { header: headerOf(file).join("\n"), names: reader(files)(file) }]
    })
  )
