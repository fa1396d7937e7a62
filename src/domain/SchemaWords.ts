/** What a schema allows, in a few words for somebody who does not know it: never as a type of the language. */
import { Array as Arr, Option, SchemaAST } from "effect"

/** Joins alternatives: `a, b or c`. */
export const either = (texts: ReadonlyArray<string>): string =>
  texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} or ${texts.at(-1)}`

/** A text for a refusal, cut where nobody would read on. */
export const short = (words: string): string => (words.length <= 200 ? words : `${words.slice(0, 199)}…`)

const isObject = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isRefinement(ast) || SchemaAST.isTransformation(ast) ? isObject(ast.from) : SchemaAST.isTypeLiteral(ast)

/** What a schema is without its description; a schema that is defined by itself is looked into only once. */
const structure = (ast: SchemaAST.AST, within: ReadonlyArray<SchemaAST.AST>): ReadonlyArray<string> => {
  switch (ast._tag) {
    case "Literal":
      return [typeof ast.literal === "string" ? JSON.stringify(ast.literal) : String(ast.literal)]
    case "Enums":
      return ast.enums.map(([, value]) => JSON.stringify(value))
    case "Union":
      return ast.types.every(isObject) ? ["an object"] : ast.types.flatMap((type) => alternatives(type, within))
    case "Refinement":
    case "Transformation":
      return alternatives(ast.from, within)
    case "Suspend":
      return within.includes(ast) ? [] : alternatives(ast.f(), [...within, ast])
    case "TupleType":
      return ["a list"]
    case "TypeLiteral":
    case "ObjectKeyword":
      return ["an object"]
    case "UnknownKeyword":
    case "AnyKeyword":
      return ["anything"]
    case "UndefinedKeyword":
      return []
    case "TemplateLiteral":
      return ["a text of a certain form"]
    default:
      return Option.match(SchemaAST.getIdentifierAnnotation(ast), {
        onNone: () => ["another value"],
        onSome: (name) => [name]
      })
  }
}

/** The alternatives that a schema allows. `undefined` is none of them: JSON cannot hold it. */
const alternatives = (ast: SchemaAST.AST, within: ReadonlyArray<SchemaAST.AST>): ReadonlyArray<string> =>
  Option.match(described(ast), {
    onNone: () => structure(ast, within),
    onSome: (description) => [description]
  })

/** What a schema says of itself. */
const described = (ast: SchemaAST.AST): Option.Option<string> =>
  ast === SchemaAST.objectKeyword ? Option.none() : SchemaAST.getDescriptionAnnotation(ast)

/** What a schema allows. */
export const allowed = (ast: SchemaAST.AST): string => {
  const all = Arr.dedupe(alternatives(ast, []))
  // Behind a long description it could be taken for a part of that.
  const [others, none] = Arr.partition(all, (text) => text === "null")
  return all.length === 0 ? "nothing" : either([...none, ...others])
}
