/** What the help says: every command with its arguments and options. The command line is parsed by this table too. */

export interface Argument {
  readonly name: string
  readonly about: string
  readonly isOptional?: boolean
  /** Whether there may be several of it, at the end. */
  readonly isRepeated?: boolean
}

export interface Option<Name extends string = string> {
  readonly name: Name
  /** What stands for the value in the help; null for an option without one. */
  readonly value: string | null
  readonly about: string
}

export interface Command<Options extends string = string> {
  /** The words that call it. */
  readonly name: string
  readonly about: string
  readonly arguments: ReadonlyArray<Argument>
  readonly options: ReadonlyArray<Option<Options>>
  readonly examples: ReadonlyArray<string>
}

export const about = "Agent sessions: tools in parallel, one durable order"

const data = {
  name: "data",
  value: "DIR",
  about: "Data folder. Defaults to SKEIN_DATA, else to the platform's usual place"
} as const
const json = { name: "json", value: null, about: "Print lines of JSON, for other programs" } as const
const session: Argument = { name: "SESSION", about: "A session's id, or its beginning when that is unique" }

/** Options of every command. */
export const common = [
  { name: "help", value: null, about: "Show this help" },
  {
    name: "log-level",
    value: "LEVEL",
    about: "Log to stderr: trace, debug, info, warning, error or fatal. Off by default"
  },
  { name: "log-file", value: "FILE", about: "Log to the end of a file instead, at level info unless --log-level says" }
] as const

export const demo = {
  name: "demo",
  about: "Show several tools at work on this folder at once. Needs no network and no key",
  arguments: [],
  options: [data],
  examples: ["skein demo"]
} as const satisfies Command

export const run = {
  name: "run",
  about: "Send a message and follow the run that answers it",
  arguments: [
    {
      name: "MESSAGE",
      about: "The message. Without one, or with -, it is read from stdin. A pipe or file on stdin is added to it",
      isOptional: true
    }
  ],
  options: [
    {
      name: "session",
      value: "ID",
      about: "Continue this session instead of creating one. The beginning of its id will do"
    },
    {
      name: "last",
      value: null,
      about: "Continue the newest session of the folder: --workdir, else the current one"
    },
    {
      name: "model",
      value: "PROVIDER/MODEL",
      about: "Use this model in the session from now on. Defaults to the session's own, else to SKEIN_MODEL"
    },
    {
      name: "agent",
      value: "NAME",
      about:
        "Use this agent in the session from now on: workspace, which asks before it changes anything, or read-only, which changes nothing. Defaults to the session's own, else to workspace"
    },
    {
      name: "system",
      value: "FILE",
      about:
        "Use the text of this file as system prompt in this run. AGENTS.md files are added to it, as to the usual one"
    },
    { name: "workdir", value: "DIR", about: "Folder of the new session. Defaults to the current one" },
    { name: "yes", value: null, about: "Allow every call without asking" },
    {
      name: "resume",
      value: null,
      about: "Continue from the stored transcript without a new message, as after a crash"
    },
    { name: "queue", value: null, about: "If the session is busy, wait for its run to end instead of failing" },
    {
      name: "quiet",
      value: null,
      about: "Print only the answer. Without it, progress goes to stderr when stdout is not a terminal"
    },
    json,
    data
  ],
  examples: [
    'skein run "Which tests are slow?"',
    'skein run "Fix the first one" --last --yes',
    'skein run "How is it built?" --agent read-only',
    'git diff | skein run "Review this" > review.md',
    "skein run --session ID --resume"
  ]
} as const satisfies Command

export const list = {
  name: "sessions list",
  about: "List sessions, newest first",
  arguments: [],
  options: [
    { name: "workdir", value: "DIR", about: "Only sessions of this folder" },
    { name: "title", value: "TEXT", about: "Only sessions whose title contains this text" },
    {
      name: "state",
      value: "STATE,…",
      about: "Only sessions that do one of these now: idle, queued, running, asks, crashed"
    },
    { name: "recent", value: null, about: "Put the sessions that changed last first" },
    { name: "limit", value: "COUNT", about: "List at most this many. Defaults to 50" },
    json,
    data
  ],
  examples: ["skein sessions list --workdir .", "skein sessions list --state asks,crashed"]
} as const satisfies Command

export const show = {
  name: "sessions show",
  about: "Print a session's transcript",
  arguments: [session],
  options: [json, data],
  examples: ["skein sessions show ID"]
} as const satisfies Command

export const rename = {
  name: "sessions rename",
  about: "Change a session's title",
  arguments: [session, { name: "TITLE", about: "The new title" }],
  options: [data],
  examples: ['skein sessions rename ID "Slow tests"']
} as const satisfies Command

export const model = {
  name: "sessions model",
  about: "Switch a session's model, starting with its next step",
  arguments: [session, { name: "PROVIDER/MODEL", about: "The new model" }],
  options: [data],
  examples: ["skein sessions model ID anthropic/claude-sonnet-4-5"]
} as const satisfies Command

export const agent = {
  name: "sessions agent",
  about: "Switch a session's agent, starting with its next step",
  arguments: [session, { name: "NAME", about: "The new agent: workspace or read-only; see skein run --help" }],
  options: [data],
  examples: ["skein sessions agent ID read-only"]
} as const satisfies Command

export const move = {
  name: "sessions move",
  about: "Move a session to another folder, starting with its next step",
  arguments: [session, { name: "DIR", about: "The new folder, which exists" }],
  options: [data],
  examples: ["skein sessions move ID ."]
} as const satisfies Command

export const remove = {
  name: "sessions delete",
  about: "Delete a session and its files",
  arguments: [session],
  options: [{ name: "yes", value: null, about: "Delete without asking" }, data],
  examples: ["skein sessions delete ID"]
} as const satisfies Command

export const doctor = {
  name: "doctor",
  about: "Check stored data for damage and list the repairs",
  arguments: [],
  options: [
    { name: "repair", value: null, about: "Apply the repairs. No other process may be using the database" },
    data
  ],
  examples: ["skein doctor", "skein doctor --repair"]
} as const satisfies Command

export const backup = {
  name: "backup",
  about: "Copy all sessions and their files into one file, even while they are in use",
  arguments: [
    { name: "FILE", about: "The file to create. An existing file is never overwritten. With --keep, the folder for it" }
  ],
  options: [
    {
      name: "keep",
      value: "COUNT",
      about: "Name the file by the time, in the folder FILE, and keep this many of those. Older ones are removed"
    },
    data
  ],
  examples: ["skein backup sessions.skein", "skein backup --keep 7 ~/backups"]
} as const satisfies Command

export const restore = {
  name: "restore",
  about: "Restore a backup into a data folder that has no database",
  arguments: [{ name: "FILE", about: "A file made by skein backup" }],
  options: [
    {
      name: "damaged",
      value: null,
      about: "Restore what can be read of a damaged backup, and say what is lost. A sound one stays as it is"
    },
    data
  ],
  examples: ["skein restore sessions.skein --data DIR"]
} as const satisfies Command

const exporting = {
  name: "export",
  about: "Write sessions with their files as lines of JSON, even while they are in use",
  arguments: [
    {
      name: "SESSION...",
      about: "The sessions, by their ids or the beginnings of these",
      isOptional: true,
      isRepeated: true
    }
  ],
  options: [
    { name: "all", value: null, about: "Export all sessions" },
    { name: "owner", value: "OWNER", about: "Export the sessions of this owner" },
    { name: "out", value: "FILE", about: "The file to create, which only you can read. Defaults to stdout" },
    data
  ],
  examples: ["skein export ID --out session.jsonl", "skein export --all | gzip > sessions.jsonl.gz"]
} as const satisfies Command

const importing = {
  name: "import",
  about: "Import sessions that were exported: all that the file has, or none",
  arguments: [{ name: "FILE", about: "A file made by skein export. With -, it is read from stdin" }],
  options: [
    {
      name: "new-ids",
      value: null,
      about: "Give the sessions new ids. Without it, a session that is there already is refused"
    },
    { name: "owner", value: "OWNER", about: "Make the sessions those of this owner" },
    data
  ],
  examples: ["skein import session.jsonl --data DIR", "skein import session.jsonl --new-ids"]
} as const satisfies Command

export { exporting as export, importing as import }

export const all: ReadonlyArray<Command> = [
  demo,
  run,
  list,
  show,
  rename,
  model,
  agent,
  move,
  remove,
  exporting,
  importing,
  doctor,
  backup,
  restore
]

export const headings = {
  usage: "Usage:",
  commands: "Commands:",
  arguments: "Arguments:",
  options: "Options:",
  common: "Options of every command:",
  examples: "Examples:"
}

export const closing = "skein COMMAND --help shows the options of a command."

export const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 cancelled."
