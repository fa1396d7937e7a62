/** What is said of failures that are the command's own. Names and paths are made harmless by the caller. */

export const internal = (what: string): string => `internal error, please report it: ${what}`

export const unusableConfiguration = (path: string, detail: string): string =>
  `cannot use the configuration ${path}: ${detail}`

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
    "To see Skein without a model: skein demo"
  ].join("\n")

export const unknownLogLevel = (names: ReadonlyArray<string>): string => `--log-level takes one of ${names.join(", ")}`

export const unwritableLog = (file: string, why: string): string => `cannot write to --log-file ${file}: ${why}`
