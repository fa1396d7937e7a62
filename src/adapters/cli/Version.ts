/** The program's version, as its package says it. */
import { Context } from "effect"

export class Version extends Context.Reference<Version>()("skein/cli/Version", {
  defaultValue: (): string => "unknown"
}) {}
