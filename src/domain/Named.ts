/**
 * Types under the name of their alias. An alias that only refers to the type of a Schema has no name of its own: editors
 * and declarations write out whatever it refers to. An interface would have one too, but beside the Schema of its name a
 * linter takes it for a class.
 */

/**
 * A struct. `Fields` has the types of fields that have names themselves. Mapped over `keyof Struct` itself, and not over a
 * parameter, it would not bear the name of the alias.
 */
export type Named<Struct, Fields = unknown, Name extends keyof Struct = keyof Struct> = {
  [Field in Name]: Field extends keyof Fields ? Fields[Field] : Struct[Field]
}

/** A union. Its members keep the names that they have. */
export type NamedUnion<Union> = Union extends unknown ? Union : never
