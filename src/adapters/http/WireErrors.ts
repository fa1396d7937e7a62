/**
 * Errors as they cross the wire: `_tag`, the error's fields and `message`, each error with its own status and its own
 * name in documents.
 */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema, SchemaAST } from "effect"
import * as SkeinError from "../../domain/SkeinError.js"

/** The wire form of each error of a union. */
export const wireErrors = <A extends Error, I extends object>(
  errors: Schema.Schema<A, I>
): Schema.Schema<A, I & { readonly message: string }> => {
  const each = SchemaAST.isUnion(errors.ast) ? errors.ast.types : [errors.ast]
  const wired = each.map((ast) => {
    const error = Schema.make<A, I>(ast)
    const status = HttpApiSchema.getStatusError(error)
    return SkeinError.withMessage(error).annotations(HttpApiSchema.annotations({ status })).ast
  })
  return Schema.make(SchemaAST.Union.make(wired))
}
