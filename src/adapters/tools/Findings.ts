/** What a search has found so far, within its bounds, what it did not look at, and how both are told. */
export interface Limits {
  readonly lines: number
  readonly characters: number
}

export interface Findings {
  readonly lines: ReadonlyArray<string>
  readonly characters: number
  /** Folders that could not be searched, or not all of them. */
  readonly skippedFolders: number
  /** Files that could not be read. */
  readonly unreadFiles: number
  /** Lines without a match of which the end was not looked at; where the first is. */
  readonly cutLines: number
  readonly firstCut: string
  /** Whether something that was found did not fit. */
  readonly isFull: boolean
}

export const none: Findings = {
  lines: [],
  characters: 0,
  skippedFolders: 0,
  unreadFiles: 0,
  cutLines: 0,
  firstCut: "",
  isFull: false
}

/** Adds lines in order until one does not fit. */
export const add = (limits: Limits, findings: Findings, found: ReadonlyArray<string>): Findings => {
  const fitting: Array<string> = []
  let characters = findings.characters
  for (const line of found) {
    const isTooMuch = characters + line.length + 1 > limits.characters
    if (isTooMuch || findings.lines.length + fitting.length === limits.lines) break
    characters += line.length + 1
    fitting.push(line)
  }
  return {
    ...findings,
    lines: [...findings.lines, ...fitting],
    characters,
    isFull: findings.isFull || fitting.length < found.length
  }
}

export const addSkippedFolder = (findings: Findings): Findings => ({
  ...findings,
  skippedFolders: findings.skippedFolders + 1
})

export const addUnreadFile = (findings: Findings): Findings => ({ ...findings, unreadFiles: findings.unreadFiles + 1 })

/** Adds places of lines that were cut and did not match. */
export const addCutLines = (findings: Findings, places: ReadonlyArray<string>): Findings => ({
  ...findings,
  cutLines: findings.cutLines + places.length,
  firstCut: findings.firstCut === "" ? (places[0] ?? "") : findings.firstCut
})

/** The lines, and then in brackets why they may not be all. `stopped` says what ended the search early, if anything did. */
export const format = (findings: Findings, stopped: string | null): string => {
  const { cutLines, firstCut, isFull, lines, skippedFolders, unreadFiles } = findings
  const notes = [
    ...(lines.length === 0 ? ["[nothing found]"] : []),
    ...(isFull ? [`[more than these ${lines.length}; narrow the search]`] : []),
    ...(stopped === null ? [] : [`[${stopped}]`]),
    ...(skippedFolders === 0 ? [] : [`[folders not wholly searched: ${skippedFolders}]`]),
    ...(unreadFiles === 0 ? [] : [`[files that could not be read: ${unreadFiles}]`]),
    ...(cutLines === 0 ? [] : [`[lines searched only in their first MiB: ${cutLines}, the first at ${firstCut}]`])
  ]
  return [...lines, ...notes].join("\n")
}
