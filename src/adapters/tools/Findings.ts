/** What a search has found so far, within its bounds, what it did not search, and the text that reports both. */
export interface Limits {
  readonly lines: number
  readonly characters: number
}

export interface Places {
  readonly count: number
  readonly first: string
}

export interface Findings {
  readonly lines: ReadonlyArray<string>
  readonly characters: number
  /** Folders that could not be searched, or only in part. */
  readonly skippedFolders: number
  /** Files that could not be read. */
  readonly unreadFiles: number
  /** Entries that the policy hides. */
  readonly hidden: number
  readonly binaryFiles: Places
  /** Lines without a match whose end was not searched. */
  readonly cutLines: Places
  /** Lines on which the expression exhausted its stack. */
  readonly untriedLines: Places
  /** Whether something that was found did not fit. */
  readonly isFull: boolean
}

export const none: Findings = {
  lines: [],
  characters: 0,
  skippedFolders: 0,
  unreadFiles: 0,
  hidden: 0,
  binaryFiles: { count: 0, first: "" },
  cutLines: { count: 0, first: "" },
  untriedLines: { count: 0, first: "" },
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

export const addHidden =
  (count: number) =>
  (findings: Findings): Findings => ({ ...findings, hidden: findings.hidden + count })

/** Says how many entries were left out because the policy hides them; nothing for none. */
export const hiddenNote = (count: number): ReadonlyArray<string> =>
  count === 0 ? [] : [`[left out, because a stored rule denies them: ${count}]`]

const addPlaces = ({ count, first }: Places, places: ReadonlyArray<string>): Places => ({
  count: count + places.length,
  first: count === 0 ? (places[0] ?? "") : first
})

/** Adds a file that was not searched. */
export const addBinaryFile = (findings: Findings, path: string): Findings => ({
  ...findings,
  binaryFiles: addPlaces(findings.binaryFiles, [path])
})

/** Adds lines that were not searched, or not to their end. */
export const addUnsearched = (
  findings: Findings,
  { cut, untried }: { readonly cut: ReadonlyArray<string>; readonly untried: ReadonlyArray<string> }
): Findings => ({
  ...findings,
  cutLines: addPlaces(findings.cutLines, cut),
  untriedLines: addPlaces(findings.untriedLines, untried)
})

const noteOf = ({ count, first }: Places, text: string, which = "the first at"): ReadonlyArray<string> =>
  count === 0 ? [] : [`[${text}: ${count}, ${which} ${first}]`]

/** The lines, then in brackets why there may be more. `stopped` says what ended the search early, if anything did. */
export const format = (findings: Findings, stopped: string | null): string => {
  const { binaryFiles, cutLines, hidden, isFull, lines, skippedFolders, unreadFiles, untriedLines } = findings
  const notes = [
    ...(lines.length === 0 ? ["[nothing found]"] : []),
    ...(isFull ? [`[more than these ${lines.length}; narrow the search]`] : []),
    ...(stopped === null ? [] : [`[${stopped}]`]),
    ...(skippedFolders === 0 ? [] : [`[folders not fully searched: ${skippedFolders}]`]),
    ...(unreadFiles === 0 ? [] : [`[files that could not be read: ${unreadFiles}]`]),
    ...hiddenNote(hidden),
    ...noteOf(binaryFiles, "binary files not searched", "the first is"),
    ...noteOf(cutLines, "lines searched only in their first MiB"),
    ...noteOf(untriedLines, "lines too long for the pattern")
  ]
  return [...lines, ...notes].join("\n")
}
