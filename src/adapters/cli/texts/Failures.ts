/** Texts about the command's own failures. Names and paths are made harmless by the caller. */
import * as Issues from "../../../domain/Issues.js"

export const folderGone = "the current folder is gone; change to one that exists"

export const inputEnded = "the input ended while a question waited for an answer; the run was cancelled"

export const internal = (what: string): string => `internal error, please report it: ${what}`

export interface FileIssue {
  readonly place: { readonly line: number; readonly column: number } | null
  readonly detail: string
}

export const placed = ({ detail, place }: FileIssue): string =>
  place === null ? detail : `line ${place.line}, column ${place.column}: ${detail}`

/** One line, or with more than one issue a line for each of them. */
export const unusableConfiguration = (path: string, issues: ReadonlyArray<FileIssue>): string => {
  const [only, ...others] = issues
  return only !== undefined && others.length === 0
    ? `cannot use the configuration ${path}${only.place === null ? ": " : ", "}${placed(only)}`
    : `cannot use the configuration ${path}:\n${Issues.bound(issues.map((issue) => `  ${placed(issue)}`))}`
}

export const undocumented = "does not have the documented form"

export const missingField = "missing"

export const unknownField = "unknown field"

export const expected = (what: string): string => `expected ${what}`

export const notJson = "not valid JSON"

export const unreadable = (why: string): string => `cannot be read: ${why}`

export const unwritableOutput = (why: string): string => `cannot write the output: ${why}`

/** `path` is where the configuration would be, `providers` those that it names. */
export const noModel = (path: string, providers: ReadonlyArray<string>): string =>
  [
    "no model is set up. Choose one of these:",
    "  ANTHROPIC_API_KEY=KEY     in the environment, for Anthropic's models",
    "  OPENAI_API_KEY=KEY        in the environment, for OpenAI's models",
    "  --model PROVIDER/MODEL    for this session, or SKEIN_MODEL=PROVIDER/MODEL for all",
    ...(providers.length === 0 ? [] : [`                            configured providers: ${providers.join(", ")}`]),
    "  --model script/FILE.json  scripted answers from a file, without a network",
    `  ${path}`,
    '    {"model": "local/NAME", "providers": {"local": {"kind": "chat-completions", "baseUrl": "http://127.0.0.1:11434/v1"}}}',
    "To try Skein without a model: skein demo"
  ].join("\n")

export const unknownLogLevel = (names: ReadonlyArray<string>): string => `--log-level takes one of ${names.join(", ")}`

export const unwritableLog = (file: string, why: string): string => `cannot write to --log-file ${file}: ${why}`

export const droppedLog = (file: string, why: string): string =>
  `cannot write to --log-file ${file}: ${why}; its lines are dropped until it can be written again`

export const writableLog = (file: string, dropped: number): string =>
  `--log-file ${file} can be written again; ${dropped === 1 ? "1 line was" : `${dropped} lines were`} dropped`

export const unknown = "unknown error"

export const doctorShowsMore = "skein doctor shows more"

const unusableReasons = {
  "not-a-database": "is not a database",
  "foreign-database": "is a database of another program",
  "newer-version": "was written by a newer version of Skein",
  damaged: `is damaged; ${doctorShowsMore}`,
  "no-access": "cannot be used",
  locked: "is locked by another process",
  "in-use": "is of an older version, and another process has it open; end that process, and it can be migrated",
  replaced: "was replaced while it was open",
  "old-sqlite": "needs a newer SQLite",
  "two-copies": "is open in this process through another copy of SQLite",
  "hard-linked": "has several names (hard links)",
  "not-utf8": "is a database whose encoding is not UTF8"
}

export const unusableStorage = (path: string, reason: keyof typeof unusableReasons, detail: string): string =>
  `${path} ${unusableReasons[reason]}${detail === "" ? "" : ` (${detail})`}`

export const foreign = (path: string, user: number): string => `; ${path} belongs to user ${user}`

export const storageFailed = (operation: string, code: string): string => `cannot ${operation}: ${code}`

export const storageBusy = (seconds: number): string =>
  `another process kept the database locked for ${seconds} s; try again`

export const sessionBusy = (sessionId: string, runId: string): string =>
  `session ${sessionId} is busy with run ${runId}; add --queue to wait for it`

export const editorTooLong =
  "the editor sent a message of more than 32 MiB or 100,000 values, so the connection was ended"
