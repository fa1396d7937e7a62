/** The agents of the command, by name, and the one that a person or a session names. Pure. */
import { Either } from "effect"
import type { Session } from "../../domain/Session.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import { WrongUsage } from "./Failure.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Agents.js"

/** The first is the agent of sessions that name none. */
export const names = ["workspace", "read-only"] as const
export type Name = (typeof names)[number]

const known = (text: string): Name | undefined => names.find((name) => name === text)

/** The agent that a person names. `field` names the input in errors. */
export const named = (field: string, text: string): Either.Either<Name, InvalidInput> =>
  Either.fromNullable(
    known(text),
    () => new InvalidInput({ field, limit: Texts.oneOf(names), actual: TerminalText.short(text, 80) })
  )

/** Fails for a session whose agent belongs to another program. */
export const check = ({ agent, id }: Session): Either.Either<void, WrongUsage> =>
  agent === null || known(agent) !== undefined
    ? Either.void
    : Either.left(new WrongUsage({ detail: Texts.foreign(id, TerminalText.line(agent), names) }))
