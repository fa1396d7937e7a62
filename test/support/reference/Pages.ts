/**
 * The reference as Markdown pages: one for each entry, one for each namespace of an entry, and one that links to them.
 * Each name has its docstring and its declaration. Pure.
 */
import type { Names, PublicName } from "./PublicNames.js"

/** The longest declaration that is shown, in lines; a longer one is an inferred type that nobody reads. */
const mostLines = 80

export interface Entry {
  readonly header: string
  readonly names: Names
}

const pageOf = (entry: string, namespace: string | null) =>
  `${[...entry.split("/"), ...(namespace === null ? [] : [namespace])].join(".")}.md`

const shorten = (declaration: string): string => {
  const plain = declaration.replace(/import\("[^"]*"\)\./g, "").replace(/^export declare /, "export ")
  const lines = plain.split("\n")
  return lines.length <= mostLines ? plain : `${lines.slice(0, mostLines).join("\n")}\n// …`
}

const section = (name: string, { declarations, docs }: PublicName): string =>
  [
    `## ${name}`,
    ...docs,
    ...(declarations.length === 0 ? [] : ["```ts\n" + declarations.map(shorten).join("\n\n") + "\n```"])
  ].join("\n\n")

const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]) => (one < other ? -1 : 1)

interface Page {
  readonly path: string
  readonly text: string
}

const page = (path: string, title: string, header: string, sections: ReadonlyArray<string>): Page => ({
  path,
  text: [`# ${title}`, header, ...sections].filter((text) => text !== "").join("\n\n") + "\n"
})

const pagesOf = (entry: string, { header, names }: Entry): ReadonlyArray<Page> => {
  const sorted = [...names].sort(byName)
  const isNamespace = (name: string) => sorted.some(([other]) => other.startsWith(`${name}.`))
  const namespaces = sorted.filter(([name]) => isNamespace(name))
  const links = namespaces.map(
    ([name, { docs }]) => `- [${name}](${pageOf(entry, name)}): ${firstSentence(docs.join(" "))}`
  )
  const own = sorted.filter(([name]) => !name.includes(".") && !isNamespace(name))
  return [
    page(pageOf(entry, null), `\`${entry}\``, header, [
      links.join("\n"),
      ...own.map(([name, found]) => section(name, found))
    ]),
    ...namespaces.map(([namespace, { docs }]) =>
      page(
        pageOf(entry, namespace),
        `\`${namespace}\` of \`${entry}\``,
        docs.join("\n\n"),
        sorted.flatMap(([name, found]) => (name.startsWith(`${namespace}.`) ? [section(name, found)] : []))
      )
    )
  ]
}

const firstSentence = (text: string): string =>
  /^[^]*?[.:](?=\s|$)/.exec(text)?.[0].replace(/\s+/g, " ").replace(/:$/, ".") ?? text

/** The pages, by their paths. */
export const make = (entries: ReadonlyMap<string, Entry>): ReadonlyMap<string, string> => {
  const links = [...entries].map(
    ([entry, { header }]) => `- [\`${entry}\`](${pageOf(entry, null)}): ${firstSentence(header)}`
  )
  const index = page("README.md", "Reference", "Every public name, by the entry that exports it.", [links.join("\n")])
  const all = [index, ...[...entries].flatMap(([entry, found]) => pagesOf(entry, found))]
  return new Map(all.map(({ path, text }) => [path, text]))
}
