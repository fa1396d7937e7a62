/** What the help says: every command with its arguments and options. The command line is parsed with this table too. */
import { type Argument, type Command, data, database, json, noDatabase, type Option, session } from "./CommandParts.js"
import * as McpCommands from "./McpCommands.js"
import * as TokenCommands from "./TokenCommands.js"

export type { Argument, Command, Option }

export const about = "Agent sessions: tools in parallel, one durable order"

/** Options of every command. */
export const common = [
  { name: "help", value: null, about: "Show this help" },
  {
    name: "log-level",
    value: "LEVEL",
    about: "Log to stderr: trace, debug, info, warning, error or fatal. Off by default"
  },
  {
    name: "log-file",
    value: "FILE",
    about: "Append the log to a file instead, at level info unless --log-level is given"
  }
] as const

export const demo = {
  name: "demo",
  about: "Show tools working in parallel on this folder. Needs no network and no key",
  arguments: [],
  options: [data, database],
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
      about: "Continue this session instead of creating one. The beginning of its id is enough"
    },
    { name: "last", value: null, about: "Continue the newest session of the folder --workdir, or of the current one" },
    {
      name: "model",
      value: "PROVIDER/MODEL",
      about: "Use this model in the session from now on. Defaults to the session's own, then to SKEIN_MODEL"
    },
    {
      name: "agent",
      value: "NAME",
      about:
        "Use this agent in the session from now on: workspace, which asks before it changes anything, or read-only, which changes nothing. Defaults to the session's own, then to workspace"
    },
    {
      name: "system",
      value: "FILE",
      about: "Use the text of this file as the system prompt of this run. AGENTS.md files are added to it as usual"
    },
    { name: "workdir", value: "DIR", about: "Folder of the new session. Defaults to the current one" },
    { name: "attach", value: "mcp:SERVER:URI", about: "Add a resource of an MCP server to the message" },
    { name: "yes", value: null, about: "Allow every call without asking" },
    {
      name: "resume",
      value: null,
      about: "Continue from the stored transcript without a new message, for example after a crash"
    },
    { name: "queue", value: null, about: "If the session is busy, wait for its run to end instead of failing" },
    {
      name: "quiet",
      value: null,
      about: "Print only the answer. Without it, progress goes to stderr when stdout is not a terminal"
    },
    json,
    data,
    database
  ],
  examples: [
    'skein run "Which tests are slow?"',
    'skein run "Fix the first one" --last --yes',
    'skein run "How is it built?" --agent read-only',
    'git diff | skein run "Review this" > review.md',
    "skein run --session ID --resume"
  ]
} as const satisfies Command

export const serve = {
  name: "serve",
  about: "Serve sessions to programs and browsers on this host, over HTTP",
  arguments: [],
  options: [
    {
      name: "port",
      value: "PORT",
      about: "Listen on this port; 0 picks a free one, none opens no port. Defaults to 4747"
    },
    { name: "socket", value: "PATH", about: "Listen on a unix socket too, in a folder that only you can use" },
    { name: "open", value: null, about: "Open the page in a browser, signed in" },
    { name: "root", value: "DIR", about: "Clients may use this folder and those in it. Defaults to the current one" },
    { name: "model", value: "PROVIDER/MODEL", about: "The model for sessions that name none. Defaults to SKEIN_MODEL" },
    {
      name: "host",
      value: "ADDRESS",
      about: "Listen on this address instead of 127.0.0.1. Needs --i-know, unless only this host can reach it"
    },
    { name: "i-know", value: null, about: "Let other hosts in: anyone with a token can run commands here" },
    {
      name: "names",
      value: "NAME,…",
      about: "Host names under which a proxy in front of it is reached, besides those of this host"
    },
    { name: "origins", value: "URL,…", about: "Other web origins that may call it, such as https://app.example.org" },
    { name: "base-path", value: "PATH", about: "The prefix that a proxy keeps in front of the server's own paths" },
    { name: "behind-proxy", value: null, about: "Trust X-Forwarded-Host and X-Forwarded-Proto, which a proxy sets" },
    { name: "drain", value: "SECONDS", about: "How long runs have to end when it stops. Defaults to 10" },
    {
      name: "address",
      value: "HOST:PORT",
      about:
        "Join the cluster of --database as a runner, which its other members reach here. Open the port only to them: nothing that goes over it is encrypted"
    },
    json,
    data,
    database
  ],
  examples: ["skein serve --open", "skein serve --port 0 --json", "skein serve --socket ~/.skein/s.sock"]
} as const satisfies Command

export const watch = {
  name: "watch",
  about: "Follow a run that somebody else started, without changing anything",
  arguments: [
    {
      name: "ID",
      about:
        "A session, by its id or the beginning of it: follows its current run, or the next one. Or a run, by its id"
    }
  ],
  options: [json, data, database],
  examples: ["skein watch ID", "skein watch ID --json"]
} as const satisfies Command

export const acp = {
  name: "acp",
  about: "Act as an editor's agent, over the Agent Client Protocol on stdin and stdout",
  arguments: [],
  options: [
    { name: "model", value: "PROVIDER/MODEL", about: "The model for sessions that name none. Defaults to SKEIN_MODEL" },
    data,
    database
  ],
  examples: ["skein acp", "skein acp --model anthropic/claude-sonnet-4-5"]
} as const satisfies Command

const openapi = {
  name: "openapi",
  about: "Print the OpenAPI 3.1 document of skein serve's API",
  arguments: [],
  options: [],
  examples: ["skein openapi"]
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
      about: "Only sessions in one of these states: idle, queued, running, asks, crashed"
    },
    { name: "recent", value: null, about: "Put the most recently changed sessions first" },
    { name: "limit", value: "COUNT", about: "List at most this many. Defaults to 50" },
    json,
    data,
    database
  ],
  examples: ["skein sessions list --workdir .", "skein sessions list --state asks,crashed"]
} as const satisfies Command

export const show = {
  name: "sessions show",
  about: "Print a session's transcript",
  arguments: [session],
  options: [json, data, database],
  examples: ["skein sessions show ID"]
} as const satisfies Command

export const rename = {
  name: "sessions rename",
  about: "Change a session's title",
  arguments: [session, { name: "TITLE", about: "The new title" }],
  options: [data, database],
  examples: ['skein sessions rename ID "Slow tests"']
} as const satisfies Command

export const model = {
  name: "sessions model",
  about: "Switch a session's model, starting with its next step",
  arguments: [session, { name: "PROVIDER/MODEL", about: "The new model" }],
  options: [data, database],
  examples: ["skein sessions model ID anthropic/claude-sonnet-4-5"]
} as const satisfies Command

export const agent = {
  name: "sessions agent",
  about: "Switch a session's agent, starting with its next step",
  arguments: [session, { name: "NAME", about: "The new agent: workspace or read-only; see skein run --help" }],
  options: [data, database],
  examples: ["skein sessions agent ID read-only"]
} as const satisfies Command

export const move = {
  name: "sessions move",
  about: "Move a session to another folder, starting with its next step",
  arguments: [session, { name: "DIR", about: "The new folder, which must exist" }],
  options: [data, database],
  examples: ["skein sessions move ID ."]
} as const satisfies Command

export const remove = {
  name: "sessions delete",
  about: "Delete a session and its files",
  arguments: [session],
  options: [{ name: "yes", value: null, about: "Delete without asking" }, data, database],
  examples: ["skein sessions delete ID"]
} as const satisfies Command

const ofFolder = { name: "folder", value: "DIR", about: "Only in sessions of this folder and below it" } as const
const ofSession = { name: "session", value: "ID", about: "Only in this session" } as const
const rulePattern: Argument = {
  name: "PATTERN",
  about: "A tool, such as server__*, or a tool and what it works on, such as shell: git status* or write: docs/**"
}

export const rulesAdd = {
  name: "rules add",
  about: "Store a rule: allow, ask or deny calls of a tool, by what they work on",
  arguments: [{ name: "DECISION", about: "allow, ask or deny. Deny wins over ask, ask over allow" }, rulePattern],
  options: [ofFolder, ofSession],
  examples: ['skein rules add allow "shell: git status*"', 'skein rules add deny "write: .env*" --folder .']
} as const satisfies Command

export const rulesList = {
  name: "rules list",
  about: "List the stored rules about calls",
  arguments: [],
  options: [json],
  examples: ["skein rules list"]
} as const satisfies Command

export const rulesRemove = {
  name: "rules remove",
  about: "Remove the rules with this pattern",
  arguments: [rulePattern],
  options: [
    { ...ofFolder, about: "Only the rule for this folder" },
    { ...ofSession, about: "Only the rule for this session" }
  ],
  examples: ['skein rules remove "shell: git status*"']
} as const satisfies Command

export const rulesTest = {
  name: "rules test",
  about: "Show what the stored rules decide about a call",
  arguments: [
    { name: "TOOL", about: "The tool that would be called" },
    { name: "INPUT", about: "The command for shell, the path for a tool that works on files, or an input as JSON" }
  ],
  options: [
    { ...ofFolder, about: "As in a session of this folder. Defaults to the current one" },
    { ...ofSession, about: "As in this session" }
  ],
  examples: ['skein rules test shell "git status && rm -rf build"']
} as const satisfies Command

export const doctor = {
  name: "doctor",
  about: "Check stored data for damage and list the repairs",
  arguments: [],
  options: [
    {
      name: "repair",
      value: null,
      about:
        "Apply the repairs. No other process may be using a data folder; in a database, sessions with an active run are left alone"
    },
    data,
    database
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
      about:
        "Name the file after the time, in the folder FILE, and keep the newest COUNT of those. Older ones are removed"
    },
    data,
    noDatabase
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
      about:
        "Restore what can be read of a damaged backup, and say what is lost. An undamaged one is restored unchanged"
    },
    data,
    noDatabase
  ],
  examples: ["skein restore sessions.skein --data DIR"]
} as const satisfies Command

const exporting = {
  name: "export",
  about: "Write sessions with their files as lines of JSON, even while they are in use",
  arguments: [
    { name: "SESSION...", about: "The sessions, by id or the beginning of an id", isOptional: true, isRepeated: true }
  ],
  options: [
    { name: "all", value: null, about: "Export all sessions" },
    { name: "owner", value: "OWNER", about: "Export the sessions of this owner" },
    { name: "out", value: "FILE", about: "The file to create, which only you can read. Defaults to stdout" },
    data,
    database
  ],
  examples: ["skein export ID --out session.jsonl", "skein export --all | gzip > sessions.jsonl.gz"]
} as const satisfies Command

const importing = {
  name: "import",
  about: "Import exported sessions: all of those in the file, or none",
  arguments: [{ name: "FILE", about: "A file made by skein export. With -, it is read from stdin" }],
  options: [
    { name: "new-ids", value: null, about: "Give the sessions new ids; otherwise none of them may exist already" },
    { name: "owner", value: "OWNER", about: "Assign the sessions to this owner" },
    { name: "with-grants", value: null, about: "Keep which tools need no question, for files that you trust" },
    data,
    database
  ],
  examples: ["skein import session.jsonl --data DIR", "skein import session.jsonl --new-ids"]
} as const satisfies Command

export const audit = {
  name: "audit",
  about: "Show who changed what in sessions, and when",
  arguments: [],
  options: [
    { name: "session", value: "ID", about: "Only this session. The beginning of its id is enough" },
    { name: "since", value: "WHEN", about: "Only changes since then: 90m, 12h, 30d, or a date" },
    json,
    data,
    database
  ],
  examples: ["skein audit --since 7d", "skein audit --session ID --json"]
} as const satisfies Command

export { exporting as export, importing as import }

export const all: ReadonlyArray<Command> = [
  demo,
  run,
  watch,
  serve,
  acp,
  openapi,
  list,
  show,
  rename,
  model,
  agent,
  move,
  remove,
  exporting,
  importing,
  rulesList,
  rulesAdd,
  rulesRemove,
  rulesTest,
  ...TokenCommands.all,
  audit,
  ...McpCommands.all,
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

export const closing = "skein COMMAND --help shows the options of a command, skein --version the version."

export const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 cancelled."
