/**
 * Markdown as elements. The lexer's tokens are read, and no HTML is made or parsed anywhere: tags in a text are shown
 * as they were written, links open only with an allowed scheme, images are named and not loaded.
 *
 * Each paragraph, cell and list has the direction of its first letter, and its pieces are in one order. Code stays apart.
 *
 * The lexer is third-party code on untrusted texts: it never sees long ones, and deep nesting is shown as it was
 * written.
 */
import { Lexer, type Token } from "marked"
import type { ComponentChildren } from "preact"
import * as SafeLink from "../model/SafeLink.js"
import * as Characters from "./Characters.js"
import { memo } from "./memo.js"
import { Part, Shown } from "./Shown.js"

/** Characters of the longest text that is passed to the lexer. */
const longest = 20_000
const deepest = 12

const Link = ({ children, href }: { readonly href: string; readonly children: ComponentChildren }) => {
  const safe = SafeLink.of(href)
  if (safe === null)
    return (
      <span class="unlinked" title="This link cannot be opened here">
        {children}
      </span>
    )
  return (
    <a href={safe} target="_blank" rel="noopener noreferrer" title={safe}>
      {children}
    </a>
  )
}

type Texts = { readonly text?: unknown; readonly raw?: unknown }

const wordOf = (value: unknown): string => (typeof value === "string" ? value : "")

const textOf = ({ raw, text }: Texts): string => Characters.read(typeof text === "string" ? text : wordOf(raw))

const inner = (token: { readonly tokens?: ReadonlyArray<Token> | undefined } & Texts, depth: number) =>
  token.tokens === undefined ? <Part text={textOf(token)} /> : <Tokens tokens={token.tokens} depth={depth + 1} />

const headings = ["h3", "h4", "h5", "h6", "h6", "h6"] as const

interface Tabular {
  readonly header?: unknown
  readonly rows?: unknown
}

const Table = ({ depth, token }: { readonly token: Tabular; readonly depth: number }) => (
  <div class="scrolls" tabIndex={0} role="group" aria-label="table">
    <table>
      <thead>
        <tr>
          {cellsOf(token.header).map((cell) => (
            <th dir="auto" class={alignOf(cell)}>
              {inner(cell, depth)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rowsOf(token.rows).map((row) => (
          <tr>
            {row.map((cell) => (
              <td dir="auto" class={alignOf(cell)}>
                {inner(cell, depth)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

interface Cell {
  readonly text: string
  readonly tokens: Array<Token>
  readonly align?: unknown
}

const alignOf = ({ align }: Cell): string | undefined =>
  align === "right" || align === "center" ? `to-${align}` : undefined

const isCell = (value: unknown): value is Cell => typeof value === "object" && value !== null && "tokens" in value
const cellsOf = (value: unknown): ReadonlyArray<Cell> => (Array.isArray(value) ? value.filter(isCell) : [])
const rowsOf = (value: unknown): ReadonlyArray<ReadonlyArray<Cell>> => (Array.isArray(value) ? value.map(cellsOf) : [])

interface Item {
  readonly task: boolean
  readonly checked?: boolean
  readonly tokens: Array<Token>
  readonly text: string
}
const isItem = (value: unknown): value is Item => typeof value === "object" && value !== null && "tokens" in value
const itemsOf = (value: unknown): ReadonlyArray<Item> => (Array.isArray(value) ? value.filter(isItem) : [])

const One = ({ depth, token }: { readonly token: Token; readonly depth: number }): ComponentChildren => {
  switch (token.type) {
    case "space":
    case "def":
    case "checkbox":
      return null
    case "hr":
      return <hr />
    case "br":
      return <br />
    case "heading": {
      const Heading = headings[Number(token["depth"]) - 1] ?? "h6"
      return <Heading dir="auto">{inner(token, depth)}</Heading>
    }
    case "paragraph":
      return <p dir="auto">{inner(token, depth)}</p>
    case "text":
      return inner(token, depth)
    case "blockquote":
      return <blockquote>{inner(token, depth)}</blockquote>
    case "code":
      return (
        <pre class="code" tabIndex={0}>
          <Shown text={wordOf(token["text"])} />
        </pre>
      )
    case "escape":
      return <Part text={wordOf(token["text"])} />
    case "codespan":
      return (
        <code>
          <Shown text={wordOf(token["text"])} />
        </code>
      )
    case "strong":
      return <strong>{inner(token, depth)}</strong>
    case "em":
      return <em>{inner(token, depth)}</em>
    case "del":
      return <del>{inner(token, depth)}</del>
    case "link":
      return <Link href={Characters.read(wordOf(token["href"]))}>{inner(token, depth)}</Link>
    case "image":
      return (
        <span class="image" title="Images in messages are not loaded">
          image: <Shown text={textOf(token)} />{" "}
          <Link href={Characters.read(wordOf(token["href"]))}>{wordOf(token["href"]).slice(0, 120)}</Link>
        </span>
      )
    case "list": {
      const items = itemsOf(token["items"]).map((item) => (
        <li class={item.task ? "task" : undefined}>
          {item.task ? <span class="box">{item.checked === true ? "☑" : "☐"} </span> : null}
          <Tokens tokens={item.tokens} depth={depth + 1} />
        </li>
      ))
      const start: unknown = token["start"]
      return token["ordered"] === true ? (
        <ol dir="auto" start={typeof start === "number" ? start : 1}>
          {items}
        </ol>
      ) : (
        <ul dir="auto">{items}</ul>
      )
    }
    case "table":
      return <Table token={{ header: token["header"], rows: token["rows"] }} depth={depth} />
    default:
      return <Part text={wordOf(token.raw)} />
  }
}

const Tokens = ({ depth, tokens }: { readonly tokens: ReadonlyArray<Token>; readonly depth: number }) => (
  <>
    {tokens.map((token) => (depth > deepest ? <Part text={wordOf(token.raw)} /> : <One token={token} depth={depth} />))}
  </>
)

const lexed = (text: string): ReadonlyArray<Token> | null => {
  if (text.length > longest) return null
  try {
    return Lexer.lex(text, { gfm: true })
  } catch {
    return null
  }
}

export const Markdown = memo(({ text }: { readonly text: string }) => {
  const tokens = lexed(text)
  return (
    <div class="markdown" dir="auto">
      {tokens === null ? (
        <p class="plain" dir="auto">
          <Part text={text} />
        </p>
      ) : (
        <Tokens tokens={tokens} depth={0} />
      )}
    </div>
  )
})
