/**
 * Types that keep the name of their alias. An alias that only refers to the type of a Schema has no name of its own:
 * editors and declarations write out what it refers to. An interface would have a name too, but next to a Schema of the
 * same name a linter takes it for a class.
 */

/**
 * A struct. `Fields` has the types of fields that have names themselves. If it were mapped over `keyof Struct` itself,
 * and not over a parameter, it would not have the name of the alias.
 */
export type Named<Struct, Fields = unknown, Name extends keyof Struct = keyof Struct> = {
  [Field in Name]: Field extends keyof Fields ? Fields[Field] : Struct[Field]
}

/** A union. Its members keep their names. */
export type NamedUnion<Union> = Union extends unknown ? Union : never
