/** Texts about a command line that cannot be understood. Each says what is wrong and what to do next. */

const help = (command: string | null): string => `skein ${command === null ? "" : `${command} `}--help`

export const unknownCommand = (words: string, similar: string | null): string =>
  similar === null
    ? `unknown command ${words} (see ${help(null)})`
    : `unknown command ${words}; did you mean ${similar}?`

export const unquotedMessage = (word: string, message: string): string =>
  `unknown command ${word}; to send a message: skein run ${message}`

export const missingCommand = (option: string): string => `missing command before ${option} (see ${help(null)})`

export const incompleteCommand = (group: string, members: ReadonlyArray<string>): string =>
  `incomplete command ${group}; it takes one of ${members.join(", ")}`

export const unknownOption = (option: string, similar: string | null, command: string): string =>
  similar === null
    ? `unknown option ${option} (see ${help(command)})`
    : `unknown option ${option}; did you mean ${similar}?`

export const dashedMessage = (option: string, message: string): string =>
  `unknown option ${option}; to send it as a message: skein run -- ${message}`

export const foreignOption = (option: string, command: string): string =>
  `skein ${command} takes no option ${option} (see ${help(command)})`

export const missingValue = (option: string, value: string): string => `${option} needs a value: ${option} ${value}`

export const needlessValue = (option: string): string => `${option} takes no value`

export const repeatedOption = (option: string): string => `${option} is given more than once`

export const missingArgument = (argument: string, command: string): string =>
  `missing ${argument} (see ${help(command)})`

export const surplusArgument = (argument: string, command: string): string =>
  `unexpected argument ${argument} (see ${help(command)})`

export const unquotedRest = (argument: string, message: string): string =>
  `unexpected argument ${argument}; quote the message: skein run ${message}`
